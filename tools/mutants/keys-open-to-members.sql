-- id: keys-open-to-members
-- family: row-level policy too wide
-- symptom: every member reads the answers that others got
-- invariants: I16
-- priority: P0
grant select on public.idempotency_keys to authenticated;
create policy everyone_reads on public.idempotency_keys for select to authenticated using (true);
