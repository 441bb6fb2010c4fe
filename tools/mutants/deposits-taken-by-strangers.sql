-- id: deposits-taken-by-strangers
-- family: row-level policy too wide
-- symptom: a stranger writes her own name on a deposit, and has it
-- invariants: I16
-- priority: P0
grant update (user_id) on public.pilates_deposits to authenticated;
create policy change_owner on public.pilates_deposits for update to authenticated using (true) with check (true);
create policy see_to_change on public.pilates_deposits for select to authenticated using (true);
