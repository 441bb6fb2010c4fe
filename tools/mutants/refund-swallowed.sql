-- id: refund-swallowed
-- family: exception swallowed
-- symptom: the deposit cannot be written: the booking is cancelled and the class does not come back
-- invariants: I2, I7, I12
-- priority: P0
-- needs: fault
select pg_temp.change('studio.give_back', $$
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = v_deposit.id
  returning deposit_remaining into v_left;
$$, $$
  begin
    update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = v_deposit.id
    returning deposit_remaining into v_left;
  exception when others then
    v_left := v_deposit.deposit_remaining + 1;
  end;
$$);
