-- id: I2-deposits
-- title: classes paid for = classes left + classes booked or attended, per deposit
-- needs: pilates_bookings.deposit_id
-- severity: P0
with bookings as (
  select deposit_id, count(*) as booked
  from public.pilates_bookings where status::text in {standing} group by deposit_id
)
select
  d.id::text as key,
  d.user_id::text as user_id,
  d.{credited} as paid,
  d.deposit_remaining as remaining,
  coalesce(b.booked, 0)::bigint as booked,
  (d.deposit_remaining + coalesce(b.booked, 0) - d.{credited})::bigint as difference,
  'deposit ' || d.id || ' is off by ' || (d.deposit_remaining + coalesce(b.booked, 0) - d.{credited})
    as finding
from public.pilates_deposits d left join bookings b on b.deposit_id = d.id
where d.deposit_remaining + coalesce(b.booked, 0) <> d.{credited}
