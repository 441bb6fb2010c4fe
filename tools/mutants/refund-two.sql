-- id: refund-two
-- family: amount wrong
-- symptom: giving one class up brings two back
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1', 'set deposit_remaining = deposit_remaining + 2');
