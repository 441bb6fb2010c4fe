-- id: schedule-hidden-from-visitors
-- family: row-level policy too narrow
-- symptom: whoever is not signed in sees no classes
-- invariants: I8
-- priority: P1
revoke select on public.pilates_slots_with_occupancy from anon;
