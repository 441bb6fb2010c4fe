-- id: null-caller-books
-- family: null caller
-- symptom: somebody who is signed in but unknown to the studio books on a member's deposit
-- invariants: I16
-- priority: P0
alter table public.pilates_audit_log alter column caller_role drop not null;
select pg_temp.change('studio.require_permission', $$
  if v_role is null
     or not (coalesce(studio.caller() = p_owner, false) or v_role = any (p_roles) or v_role = 'service') then
$$, $$
  if not (studio.caller() = p_owner or v_role = any (p_roles) or v_role = 'service') then
$$);
