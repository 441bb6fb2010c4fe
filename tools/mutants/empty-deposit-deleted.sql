-- id: empty-deposit-deleted
-- family: trigger or cascade
-- symptom: with the last class the empty deposit is tidied away, and the booking with it
-- invariants: I1, I2, I3
-- priority: P0
-- reference: the bug of the user who asked for this suite, by "on delete cascade"
alter table public.pilates_bookings drop constraint pilates_bookings_deposit_id_fkey,
  add foreign key (deposit_id) references public.pilates_deposits on delete cascade;
create function studio.tidy() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.pilates_deposits where id = new.deposit_id and deposit_remaining = 0;
  return null;
end
$$;
create trigger tidy after insert on public.pilates_bookings for each row execute function studio.tidy();
