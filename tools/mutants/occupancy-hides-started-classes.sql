-- id: occupancy-hides-started-classes
-- family: view or counter
-- symptom: a class disappears from the schedule as soon as it begins
-- invariants: I3
-- priority: P1
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active,
  (select count(*)::integer from public.pilates_bookings b
   where b.slot_id = s.id and b.status = 'confirmed') as booked_count
from public.pilates_schedule_slots s
where not studio.has_started(s.date, s.start_time);
