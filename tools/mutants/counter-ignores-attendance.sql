-- id: counter-ignores-attendance
-- family: view or counter
-- symptom: the counter knows booking and cancelling, and forgets those who were ticked off
-- invariants: I3
-- priority: P1
alter table public.pilates_schedule_slots add column booked integer not null default 0;
create function studio.count_up() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  update public.pilates_schedule_slots
  set booked = booked + case when new.status = 'confirmed' then 1 when new.status = 'cancelled' then -1 else 0 end
  where id = new.slot_id;
  return new;
end
$$;
create trigger count_up after insert or update on public.pilates_bookings
  for each row execute function studio.count_up();
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active, s.booked as booked_count
from public.pilates_schedule_slots s;
