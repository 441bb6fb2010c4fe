-- id: expire-by-members
-- family: caller check dropped
-- symptom: any member can start the nightly run
-- invariants: I16
-- priority: P1
select pg_temp.change('public.check_and_expire_pilates_deposits',
  $$perform studio.require_staff('secretary', 'admin');$$, '');
