-- id: events-open-to-visitors
-- family: row-level policy too wide
-- symptom: everybody in the world reads who goes to which class
-- invariants: I16
-- priority: P0
grant select on public.pilates_calendar_outbox to anon, authenticated;
create policy everyone_reads on public.pilates_calendar_outbox for select to anon, authenticated using (true);
