-- id: audit-log-wiped-by-staff
-- family: row-level policy too wide
-- symptom: an administrator deletes entries of the audit log
-- invariants: I16
-- priority: P1
grant delete on public.pilates_audit_log to authenticated;
create policy admins_tidy on public.pilates_audit_log for delete to authenticated
  using (studio.caller_role() = 'admin');
