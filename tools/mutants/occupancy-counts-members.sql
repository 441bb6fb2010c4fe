-- id: occupancy-counts-members
-- family: view or counter
-- symptom: none: nobody holds two confirmed bookings of one class
-- invariants: I3
-- priority: P1
-- equivalent: the unique index allows one confirmed booking per member and class, so members and bookings are as many
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active,
  (select count(distinct b.user_id)::integer from public.pilates_bookings b
   where b.slot_id = s.id and b.status = 'confirmed') as booked_count
from public.pilates_schedule_slots s;
