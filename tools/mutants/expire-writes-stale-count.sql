-- id: expire-writes-stale-count
-- family: lost update
-- symptom: a class comes back while the nightly run expires the deposit, and is gone again
-- invariants: I2, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.check_and_expire_pilates_deposits', 'order by id for update', 'order by id');
select pg_temp.change('public.check_and_expire_pilates_deposits', 'set is_active = false where',
  'set is_active = false, deposit_remaining = v_deposit.deposit_remaining where');
