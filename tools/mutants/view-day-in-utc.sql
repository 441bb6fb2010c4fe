-- id: view-day-in-utc
-- family: time zone or date
-- symptom: a class just after midnight stands under the day before in the schedule
-- invariants: I3
-- priority: P1
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select
  s.id as slot_id,
  (studio.starts_at(s.date, s.start_time) at time zone 'UTC')::date as date,
  s.start_time,
  s.end_time,
  studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity,
  s.is_active,
  (select count(*)::integer from public.pilates_bookings b
   where b.slot_id = s.id and b.status = 'confirmed') as booked_count
from public.pilates_schedule_slots s;
