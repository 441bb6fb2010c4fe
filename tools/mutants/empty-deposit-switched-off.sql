-- id: empty-deposit-switched-off
-- family: trigger or cascade
-- symptom: the last class is booked and given up: it is back in a deposit that does not pay any more
-- invariants: I13
-- priority: P0
create function studio.close() returns trigger language plpgsql
as $$
begin
  new.is_active := false;
  return new;
end
$$;
create trigger close before update on public.pilates_deposits
  for each row when (new.deposit_remaining = 0) execute function studio.close();
