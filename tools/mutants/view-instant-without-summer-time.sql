-- id: view-instant-without-summer-time
-- family: time zone or date
-- symptom: the app shows the classes of half of the year an hour off
-- invariants: I3, I8
-- priority: P1
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select
  s.id as slot_id,
  s.date,
  s.start_time,
  s.end_time,
  (s.date + s.start_time) at time zone 'UTC-2' as starts_at,
  s.max_capacity,
  s.is_active,
  (select count(*)::integer from public.pilates_bookings b
   where b.slot_id = s.id and b.status = 'confirmed') as booked_count
from public.pilates_schedule_slots s;
