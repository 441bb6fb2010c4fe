-- id: admin-remove-without-refund
-- family: statement deleted
-- symptom: the front desk takes a member out, and the class stays lost
-- invariants: I2, I7, I9
-- priority: P0
-- reference: the bug of the user who asked for this suite, on the front desk's path alone
select pg_temp.change('studio.give_back', $$
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = v_deposit.id
$$, $$
  update public.pilates_deposits
  set deposit_remaining = deposit_remaining + case p_operation when 'cancel' then 1 else 0 end
  where id = v_deposit.id
$$);
