-- id: deposits-written-by-members
-- family: row-level policy too wide
-- symptom: a member writes as many classes into the deposit as they like
-- invariants: I16
-- priority: P0
grant update on public.pilates_deposits to authenticated;
create policy own_change on public.pilates_deposits for update to authenticated
  using (user_id = (select studio.caller()));
