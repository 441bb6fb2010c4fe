-- id: profiles-open-to-members
-- family: row-level policy too wide
-- symptom: every member reads the others' names and e-mail addresses
-- invariants: I8
-- priority: P0
alter policy own_or_staff on public.user_profiles using (true);
