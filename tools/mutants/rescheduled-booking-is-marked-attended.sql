-- id: rescheduled-booking-is-marked-attended
-- family: wrong row or trace
-- symptom: a moved class counts as attended: the member has paid for both
-- invariants: I1, I2
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking',
  $$set status = 'cancelled' where$$, $$set status = 'completed' where$$);
