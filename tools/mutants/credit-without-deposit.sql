-- id: credit-without-deposit
-- family: statement deleted
-- symptom: the front desk sells ten classes, the screen says "credited", and the member has none
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('public.credit_pilates_deposit', $$
  insert into public.pilates_deposits as d (user_id, classes_credited, deposit_remaining, expires_at)
  values (p_user_id, p_classes, p_classes, p_expires_at)
  returning d.id, d.deposit_remaining into deposit_id, deposit_remaining;
$$, $$
  deposit_id := gen_random_uuid();
  deposit_remaining := p_classes;
$$);
