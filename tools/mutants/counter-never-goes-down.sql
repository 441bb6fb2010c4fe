-- id: counter-never-goes-down
-- family: view or counter
-- symptom: cancelled places stay taken in the schedule
-- invariants: I3
-- priority: P0
alter table public.pilates_schedule_slots add column booked integer not null default 0;
create function studio.count_up() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  update public.pilates_schedule_slots set booked = booked + 1 where id = new.slot_id;
  return new;
end
$$;
create trigger count_up after insert on public.pilates_bookings for each row execute function studio.count_up();
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active, s.booked as booked_count
from public.pilates_schedule_slots s;
