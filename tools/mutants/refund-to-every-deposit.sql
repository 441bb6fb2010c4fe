-- id: refund-to-every-deposit
-- family: amount wrong
-- symptom: a member with two deposits gets a class back on each
-- invariants: I2, I9
-- priority: P0
select pg_temp.change('studio.give_back', $$perform studio.audit(p_operation,$$, $$
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining + 1
  where d.user_id = v_deposit.user_id and d.id <> v_deposit.id;
  perform studio.audit(p_operation,$$);
