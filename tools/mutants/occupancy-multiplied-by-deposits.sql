-- id: occupancy-multiplied-by-deposits
-- family: view or counter
-- symptom: a member with two deposits counts twice in the schedule
-- invariants: I3
-- priority: P0
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active, count(d.id)::integer as booked_count
from public.pilates_schedule_slots s
left join public.pilates_bookings b on b.slot_id = s.id and b.status = 'confirmed'
left join public.pilates_deposits d on d.user_id = b.user_id
group by s.id;
