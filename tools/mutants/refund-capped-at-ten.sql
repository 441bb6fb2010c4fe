-- id: refund-capped-at-ten
-- family: amount wrong
-- symptom: a member with more than ten classes gives one up, and has ten
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1', 'set deposit_remaining = least(deposit_remaining + 1, 10)');
