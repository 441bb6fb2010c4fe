-- id: occupancy-by-join
-- family: control
-- why: the occupancy is counted by a join and a group instead of a subquery
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active, (count(b.id) filter (where b.status = 'confirmed'))::integer as booked_count
from public.pilates_schedule_slots s left join public.pilates_bookings b on b.slot_id = s.id
group by s.id;
