-- id: refund-reactivates-deposit
-- family: trigger or cascade
-- symptom: a class comes back to a deposit that was switched off, and the whole deposit pays again
-- invariants: I13
-- priority: P0
create function studio.reactivate() returns trigger language plpgsql
as $$
begin
  new.is_active := true;
  return new;
end
$$;
create trigger reactivate before update on public.pilates_deposits
  for each row when (new.deposit_remaining > old.deposit_remaining) execute function studio.reactivate();
