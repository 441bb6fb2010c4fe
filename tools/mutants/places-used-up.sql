-- id: places-used-up
-- family: trigger or cascade
-- symptom: each booking takes a place away from the class for good
-- invariants: I13
-- priority: P0
create function studio.use_up() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  update public.pilates_schedule_slots set max_capacity = max_capacity - 1 where id = new.slot_id and max_capacity > 0;
  return null;
end
$$;
create trigger use_up after insert on public.pilates_bookings for each row execute function studio.use_up();
