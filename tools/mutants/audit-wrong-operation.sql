-- id: audit-wrong-operation
-- family: wrong row or trace
-- symptom: the log says that the member cancelled, and it was the front desk that removed the booking
-- invariants: I9
-- priority: P1
select pg_temp.change('studio.give_back',
  'perform studio.audit(p_operation, v_booking', $$perform studio.audit('cancel', v_booking$$);
