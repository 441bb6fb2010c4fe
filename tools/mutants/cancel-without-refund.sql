-- id: cancel-without-refund
-- family: statement deleted
-- symptom: the booking is gone from the calendar, and the class does not come back
-- invariants: I2, I7, I9
-- priority: P0
-- reference: the bug of the user who asked for this suite, when the class is given up
select pg_temp.change('studio.give_back', $$
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = v_deposit.id
  returning deposit_remaining into v_left;
$$, $$
  v_left := v_deposit.deposit_remaining + 1;
$$);
