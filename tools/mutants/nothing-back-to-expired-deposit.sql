-- id: nothing-back-to-expired-deposit
-- family: rule smuggled in
-- symptom: the deposit has expired since the booking: cancelling brings nothing back
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1 where id = v_deposit.id', $$set deposit_remaining = deposit_remaining
    + case when v_deposit.is_active and coalesce(v_deposit.expires_at > clock_timestamp(), true) then 1 else 0 end
  where id = v_deposit.id$$);
