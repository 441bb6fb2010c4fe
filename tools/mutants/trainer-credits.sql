-- id: trainer-credits
-- family: caller check dropped
-- symptom: a trainer gives classes away
-- invariants: I16
-- priority: P0
select pg_temp.change('public.credit_pilates_deposit',
  $$require_staff('secretary', 'admin')$$, $$require_staff('trainer', 'secretary', 'admin')$$);
