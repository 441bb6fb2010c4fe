-- id: I10-calendar
-- title: the calendar was told of each booking that stands
-- needs: pilates_calendar_outbox.booking_id, pilates_calendar_outbox.event, pilates_calendar_outbox.id
-- severity: P0
with told as (
  select distinct on (booking_id) booking_id, event from public.pilates_calendar_outbox order by booking_id, id desc
)
select
  b.id::text as key,
  b.user_id::text as user_id,
  'the booking is ' || b.status::text || ', the calendar was last told: ' || coalesce(t.event, 'nothing') as finding
from public.pilates_bookings b left join told t on t.booking_id = b.id
where (b.status::text in {confirmed} and coalesce(t.event, 'cancelled') = 'cancelled')
   or (b.status::text in {cancelled} and t.event <> 'cancelled')
