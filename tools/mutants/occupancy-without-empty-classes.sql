-- id: occupancy-without-empty-classes
-- family: view or counter
-- symptom: a class that nobody has booked yet is missing from the schedule
-- invariants: I3
-- priority: P0
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active, count(*)::integer as booked_count
from public.pilates_schedule_slots s join public.pilates_bookings b on b.slot_id = s.id and b.status = 'confirmed'
group by s.id;
