-- id: expire-tomorrow-already
-- family: time zone or date
-- symptom: the nightly run switches off deposits that end tomorrow
-- invariants: I9, I13
-- priority: P0
select pg_temp.change('public.check_and_expire_pilates_deposits',
  'expires_at <= clock_timestamp()', $$expires_at <= clock_timestamp() + interval '1 day'$$);
