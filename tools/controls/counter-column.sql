-- id: counter-column
-- family: control
-- why: the class keeps a counter, and a trigger keeps it right on every path
alter table public.pilates_schedule_slots add column booked integer not null default 0;
create function studio.count_bookings() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op <> 'INSERT' and old.status = 'confirmed' then
    update public.pilates_schedule_slots set booked = booked - 1 where id = old.slot_id;
  end if;
  if tg_op <> 'DELETE' and new.status = 'confirmed' then
    update public.pilates_schedule_slots set booked = booked + 1 where id = new.slot_id;
  end if;
  return null;
end
$$;
create trigger count_bookings after insert or update or delete on public.pilates_bookings
  for each row execute function studio.count_bookings();
create or replace view public.pilates_slots_with_occupancy with (security_barrier = true) as
select s.id as slot_id, s.date, s.start_time, s.end_time, studio.starts_at(s.date, s.start_time) as starts_at,
  s.max_capacity, s.is_active, s.booked as booked_count
from public.pilates_schedule_slots s;
