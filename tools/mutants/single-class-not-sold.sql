-- id: single-class-not-sold
-- family: comparison shifted
-- symptom: the front desk cannot sell a single class
-- invariants: I13
-- priority: P1
select pg_temp.change('public.credit_pilates_deposit', 'coalesce(p_classes, 0) <= 0', 'coalesce(p_classes, 0) <= 1');
