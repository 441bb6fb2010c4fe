-- id: occupancy-hides-cancelled-classes
-- family: view or counter
-- symptom: a class that was called off disappears from the schedule, with the members booked in it
-- invariants: I3
-- priority: P1
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active,
  (select count(*)::integer from public.pilates_bookings b
   where b.slot_id = s.id and b.status = 'confirmed') as booked_count
from public.pilates_schedule_slots s
where s.is_active;
