-- id: credit-to-the-front-desk
-- family: wrong row or trace
-- symptom: the classes a member pays for are credited to whoever sits at the front desk
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('public.credit_pilates_deposit',
  'values (p_user_id, p_classes, p_classes', 'values (coalesce(studio.caller(), p_user_id), p_classes, p_classes');
