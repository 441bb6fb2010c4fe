-- id: expire-without-update
-- family: statement deleted
-- symptom: the nightly run reports expired deposits, and all of them are still switched on
-- invariants: I9
-- priority: P1
select pg_temp.change('public.check_and_expire_pilates_deposits',
  'update public.pilates_deposits set is_active = false where id = v_deposit.id;', '');
