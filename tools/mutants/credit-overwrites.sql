-- id: credit-overwrites
-- family: wrong row or trace
-- symptom: a new purchase takes the place of what was left of the last one
-- invariants: I2, I9
-- priority: P0
select pg_temp.change('public.credit_pilates_deposit', 'insert into public.pilates_deposits as d', $$
  update public.pilates_deposits d set deposit_remaining = 0 where d.user_id = p_user_id;
  insert into public.pilates_deposits as d$$);
