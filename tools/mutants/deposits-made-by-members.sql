-- id: deposits-made-by-members
-- family: row-level policy too wide
-- symptom: a member makes a deposit that nobody has paid for
-- invariants: I16
-- priority: P0
grant insert on public.pilates_deposits to authenticated;
create policy own_purchase on public.pilates_deposits for insert to authenticated
  with check (user_id = (select studio.caller()));
