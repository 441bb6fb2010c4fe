-- id: refund-nothing
-- family: amount wrong
-- symptom: the app says "one class given back", and the deposit is as it was
-- invariants: I2, I7
-- priority: P0
-- reference: the bug of the user who asked for this suite, when the class is given up
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1', 'set deposit_remaining = deposit_remaining + 0');
