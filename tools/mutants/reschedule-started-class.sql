-- id: reschedule-started-class
-- family: condition dropped
-- symptom: whoever has missed the class moves it to another day
-- invariants: I13
-- priority: P1
select pg_temp.change('public.reschedule_pilates_booking',
  'if studio.has_started(v_old_slot.date, v_old_slot.start_time) then', 'if false then');
