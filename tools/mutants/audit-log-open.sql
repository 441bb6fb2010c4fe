-- id: audit-log-open
-- family: row-level policy too wide
-- symptom: every member reads the studio's log
-- invariants: I8
-- priority: P1
alter policy admins_read on public.pilates_audit_log using (true);
