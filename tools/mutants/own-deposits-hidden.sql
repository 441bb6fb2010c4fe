-- id: own-deposits-hidden
-- family: row-level policy too narrow
-- symptom: the member does not see the classes they have paid for
-- invariants: I8
-- priority: P0
alter policy own_or_staff on public.pilates_deposits using ((select studio.is_staff()));
