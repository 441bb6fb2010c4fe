-- id: credit-ends-at-once
-- family: rule smuggled in
-- symptom: classes that were just paid for cannot be booked: the deposit has expired already
-- invariants: I13
-- priority: P0
select pg_temp.change('public.credit_pilates_deposit',
  'p_classes, p_classes, p_expires_at)', 'p_classes, p_classes, coalesce(p_expires_at, now()))');
