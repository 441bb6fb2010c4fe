-- id: other-column-order
-- family: control
-- why: the columns of bookings and of the schedule stand in another order
drop view public.pilates_slots_with_occupancy;
drop index public.pilates_bookings_stands_once;
alter table public.pilates_bookings rename column status to old_status;
alter table public.pilates_bookings add column status text not null default 'confirmed'
  check (status in ('confirmed', 'cancelled', 'completed', 'no_show'));
alter table public.pilates_bookings drop column old_status;
create unique index pilates_bookings_stands_once on public.pilates_bookings (user_id, slot_id)
  where status = 'confirmed';
create view public.pilates_slots_with_occupancy with (security_barrier = true) as
select
  (select count(*)::integer from public.pilates_bookings b
   where b.slot_id = s.id and b.status = 'confirmed') as booked_count,
  s.max_capacity, s.is_active, s.start_time, s.end_time, s.date,
  studio.starts_at(s.date, s.start_time) as starts_at, s.id as slot_id
from public.pilates_schedule_slots s;
grant select on public.pilates_slots_with_occupancy to anon, authenticated, service_role;
