-- id: occupancy-from-last-night
-- family: view or counter
-- symptom: the schedule shows the bookings as they were when it was last computed
-- invariants: I3
-- priority: P0
create materialized view studio.counted as
select b.slot_id, count(*)::integer as booked from public.pilates_bookings b where b.status = 'confirmed' group by 1;
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active,
  coalesce((select c.booked from studio.counted c where c.slot_id = s.id), 0) as booked_count
from public.pilates_schedule_slots s;
