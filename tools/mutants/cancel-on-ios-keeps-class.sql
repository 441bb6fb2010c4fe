-- id: cancel-on-ios-keeps-class
-- family: interaction of factors
-- symptom: only members with an iPhone: the booking is cancelled and the class does not come back
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1', $$set deposit_remaining = deposit_remaining
    + case when studio.header('x-device') = 'ios' then 0 else 1 end$$);
