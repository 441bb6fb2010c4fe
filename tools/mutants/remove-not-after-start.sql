-- id: remove-not-after-start
-- family: condition dropped
-- symptom: the front desk cannot give a class back once it has begun
-- invariants: I13
-- priority: P1
select pg_temp.change('public.admin_remove_pilates_booking', ', p_reason), true)', ', p_reason), false)');
