-- id: refund-to-every-deposit
-- family: amount wrong
-- symptom: a member with two deposits gets a class back on each
-- invariants: I2, I9
-- priority: P0
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1 where id = v_deposit.id',
  'set deposit_remaining = deposit_remaining + 1 where user_id = v_deposit.user_id');
