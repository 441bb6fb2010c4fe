-- id: occupancy-never-above-places
-- family: view or counter
-- symptom: after a class has lost places the schedule hides that too many are booked
-- invariants: I3
-- priority: P1
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active,
  least(s.max_capacity, (select count(*)::integer from public.pilates_bookings b
                         where b.slot_id = s.id and b.status = 'confirmed')) as booked_count
from public.pilates_schedule_slots s;
