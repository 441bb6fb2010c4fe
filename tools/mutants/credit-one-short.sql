-- id: credit-one-short
-- family: amount wrong
-- symptom: the member pays for ten classes and gets nine
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('public.credit_pilates_deposit',
  'p_classes, p_classes, p_exp', 'p_classes, p_classes - 1, p_exp');
