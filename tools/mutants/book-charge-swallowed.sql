-- id: book-charge-swallowed
-- family: exception swallowed
-- symptom: the deposit cannot be written: the booking stands and nothing is paid
-- invariants: I2, I7, I12
-- priority: P0
-- needs: fault
select pg_temp.change('public.book_pilates_class', $$
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
  where d.id = v_deposit.id
  returning d.deposit_remaining into deposit_remaining;
$$, $$
  begin
    update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
    where d.id = v_deposit.id
    returning d.deposit_remaining into deposit_remaining;
  exception when others then
    deposit_remaining := v_deposit.deposit_remaining - 1;
  end;
$$);
