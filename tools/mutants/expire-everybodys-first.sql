-- id: expire-everybodys-first
-- family: wrong row or trace
-- symptom: the nightly run switches off a deposit of another member
-- invariants: I9, I13
-- priority: P0
select pg_temp.change('public.check_and_expire_pilates_deposits',
  'is_active = false where id = v_deposit.id;', $$is_active = false
    where id = (select d.id from public.pilates_deposits d
                where d.user_id <> v_deposit.user_id and d.is_active order by d.credited_at desc, d.id limit 1);$$);
