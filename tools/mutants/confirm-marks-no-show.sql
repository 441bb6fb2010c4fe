-- id: confirm-marks-no-show
-- family: wrong row or trace
-- symptom: whoever attends is written down as absent
-- invariants: I1, I9
-- priority: P1
select pg_temp.change('public.confirm_pilates_attendance',
  $$set status = 'completed' where$$, $$set status = 'no_show' where$$);
