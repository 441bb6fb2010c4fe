-- id: audit-names-member-as-caller
-- family: wrong row or trace
-- symptom: what the front desk did looks as if the member had done it
-- invariants: I9
-- priority: P1
select pg_temp.change('studio.audit',
  $$studio.header('x-actor'), studio.caller(),$$, $$studio.header('x-actor'), p_user_id,$$);
