-- id: occupancy-counts-cancelled
-- family: view or counter
-- symptom: a class in which everybody has cancelled looks full
-- invariants: I3
-- priority: P0
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active,
  (select count(*)::integer from public.pilates_bookings b where b.slot_id = s.id) as booked_count
from public.pilates_schedule_slots s;
