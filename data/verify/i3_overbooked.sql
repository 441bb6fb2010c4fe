-- id: I3-overbooked
-- title: no class has more bookings than places (unless its places were lowered later)
-- needs: pilates_schedule_slots.max_capacity
-- severity: P0
select
  s.id::text as key,
  s.date::text as date,
  s.start_time::text as start_time,
  s.max_capacity,
  b.booked,
  b.booked || ' bookings for ' || s.max_capacity || ' places' as finding
from public.pilates_schedule_slots s
join (
  select slot_id, count(*) as booked from public.pilates_bookings where status::text in {confirmed} group by slot_id
) b on b.slot_id = s.id
where b.booked > s.max_capacity
