-- id: audit-swallowed
-- family: exception swallowed
-- symptom: the audit log cannot be written, and changes go on without an entry
-- invariants: I9
-- priority: P1
-- needs: fault
create or replace function studio.audit(
  p_operation text, p_user_id uuid, p_booking_id uuid, p_slot_id uuid, p_deposit_id uuid, p_before jsonb, p_after jsonb
) returns void language plpgsql
as $$
begin
  insert into public.pilates_audit_log
    (trace_id, test_id, actor, caller, caller_role, operation, user_id, booking_id, slot_id, deposit_id, before, after)
  values
    (studio.header('x-trace-id'), studio.header('x-test-id'), studio.header('x-actor'), studio.caller(),
     studio.caller_role(), p_operation, p_user_id, p_booking_id, p_slot_id, p_deposit_id, p_before, p_after);
exception when others then
  raise warning 'audit: %', sqlerrm;
end
$$;
