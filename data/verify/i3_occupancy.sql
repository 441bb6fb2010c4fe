-- id: I3-occupancy
-- title: the occupancy shown is the number of confirmed bookings
-- needs: pilates_schedule_slots.id
-- severity: P0
with booked as (
  select slot_id, count(*) as booked from public.pilates_bookings where status::text in {confirmed} group by slot_id
)
select
  s.id::text as key,
  o.booked_count as shown,
  coalesce(b.booked, 0) as booked,
  case when o.slot_id is null then 'the class is missing from the view'
    else 'shows ' || o.booked_count || ', but ' || coalesce(b.booked, 0) || ' bookings stand' end as finding
from public.pilates_schedule_slots s
left join {occupancy} o on o.slot_id = s.id
left join booked b on b.slot_id = s.id
where o.booked_count is distinct from coalesce(b.booked, 0)
