-- id: expire-everything
-- family: condition dropped
-- symptom: the nightly run switches off deposits that are good for another month
-- invariants: I9, I13
-- priority: P0
select pg_temp.change('public.check_and_expire_pilates_deposits',
  'is_active and expires_at <= clock_timestamp()', 'is_active and expires_at is not null');
