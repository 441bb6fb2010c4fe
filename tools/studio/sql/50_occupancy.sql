-- The schedule as everyone may see it. It counts the bookings instead of keeping a counter, and it counts all of
-- them: the view reads with its owner's rights, and shows nothing of who booked.
create view public.pilates_slots_with_occupancy with (security_barrier = true) as
select
  s.id as slot_id,
  s.date,
  s.start_time,
  s.end_time,
  studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity,
  s.is_active,
  (select count(*)::integer from public.pilates_bookings b
   where b.slot_id = s.id and b.status = 'confirmed') as booked_count
from public.pilates_schedule_slots s;
