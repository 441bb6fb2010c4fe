-- id: reschedule-cancelled-booking
-- family: condition dropped
-- symptom: a cancelled booking is moved: a place that nobody has paid for
-- invariants: I2, I13
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking',
  $$if v_old.status <> 'confirmed' then$$, 'if v_old.status is null then');
