-- id: bookings-open-to-visitors
-- family: row-level policy too wide
-- symptom: whoever opens the page without signing in sees all bookings
-- invariants: I8
-- priority: P0
grant select on public.pilates_bookings to anon;
create policy visitors on public.pilates_bookings for select to anon using (true);
