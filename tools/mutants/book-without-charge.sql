-- id: book-without-charge
-- family: statement deleted
-- symptom: the booking stands and no class leaves the deposit: members train for nothing
-- invariants: I2, I7, I9
-- priority: P0
select pg_temp.change('public.book_pilates_class', $$
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
  where d.id = v_deposit.id
  returning d.deposit_remaining into deposit_remaining;
$$, $$
  deposit_remaining := v_deposit.deposit_remaining - 1;
$$);
