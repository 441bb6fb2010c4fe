-- id: credit-of-nothing
-- family: comparison shifted
-- symptom: a purchase of no classes is accepted and leaves an empty deposit
-- invariants: I12, I13
-- priority: P1
select pg_temp.change('public.credit_pilates_deposit', 'coalesce(p_classes, 0) <= 0', 'coalesce(p_classes, 0) < 0');
