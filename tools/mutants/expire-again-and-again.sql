-- id: expire-again-and-again
-- family: condition dropped
-- symptom: each nightly run writes down once more that the same deposits have expired
-- invariants: I9
-- priority: P1
select pg_temp.change('public.check_and_expire_pilates_deposits', 'where is_active and expires_at', 'where expires_at');
