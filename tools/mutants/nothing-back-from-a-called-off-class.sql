-- id: nothing-back-from-a-called-off-class
-- family: rule smuggled in
-- symptom: the studio calls a class off, the member cancels, and the class is lost
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('studio.give_back',
  'deposit_remaining + 1 where id', 'deposit_remaining + v_slot.is_active::integer where id');
