-- id: full-class-closes
-- family: trigger or cascade
-- symptom: a class that was full once stays closed, also after somebody has cancelled
-- invariants: I12, I13
-- priority: P1
create function studio.close() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  update public.pilates_schedule_slots s set is_active = false
  where s.id = new.slot_id and s.max_capacity <= (select count(*) from public.pilates_bookings b
                                                  where b.slot_id = s.id and b.status = 'confirmed');
  return null;
end
$$;
create trigger close after insert on public.pilates_bookings for each row execute function studio.close();
