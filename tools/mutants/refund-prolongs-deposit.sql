-- id: refund-prolongs-deposit
-- family: trigger or cascade
-- symptom: whoever books and cancels again and again keeps a deposit for ever
-- invariants: I13
-- priority: P1
create function studio.prolong() returns trigger language plpgsql
as $$
begin
  new.expires_at := greatest(old.expires_at, clock_timestamp() + interval '30 days');
  return new;
end
$$;
create trigger prolong before update on public.pilates_deposits
  for each row when (new.deposit_remaining > old.deposit_remaining) execute function studio.prolong();
