-- id: I2-members
-- title: classes paid for = classes left + classes booked or attended, per member
-- needs: pilates_deposits.deposit_remaining
-- severity: P0
with deposits as (
  select user_id, sum({credited}) as paid, sum(deposit_remaining) as remaining
  from public.pilates_deposits group by user_id
), bookings as (
  select user_id, count(*) as booked
  from public.pilates_bookings where status::text in {standing} group by user_id
)
select
  coalesce(d.user_id, b.user_id)::text as key,
  coalesce(d.user_id, b.user_id)::text as user_id,
  coalesce(d.paid, 0)::bigint as paid,
  coalesce(d.remaining, 0)::bigint as remaining,
  coalesce(b.booked, 0)::bigint as booked,
  (coalesce(d.remaining, 0) + coalesce(b.booked, 0) - coalesce(d.paid, 0))::bigint as difference,
  case when coalesce(d.remaining, 0) + coalesce(b.booked, 0) < coalesce(d.paid, 0)
    then 'lost ' || (coalesce(d.paid, 0) - coalesce(d.remaining, 0) - coalesce(b.booked, 0)) || ' classes'
    else 'gained ' || (coalesce(d.remaining, 0) + coalesce(b.booked, 0) - coalesce(d.paid, 0)) || ' classes'
  end as finding
from deposits d full join bookings b on b.user_id = d.user_id
where coalesce(d.remaining, 0) + coalesce(b.booked, 0) <> coalesce(d.paid, 0)
