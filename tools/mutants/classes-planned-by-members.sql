-- id: classes-planned-by-members
-- family: row-level policy too wide
-- symptom: a member gives a full class more places
-- invariants: I16
-- priority: P1
alter policy managers_change on public.pilates_schedule_slots using (studio.caller_role() is not null);
