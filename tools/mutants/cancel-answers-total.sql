-- id: cancel-answers-total
-- family: wrong row or trace
-- symptom: the app says "nine classes given back"
-- invariants: I7
-- priority: P1
select pg_temp.change('studio.give_back', $$perform studio.tell_calendar('cancelled', v_booking);
  return 1;$$, $$perform studio.tell_calendar('cancelled', v_booking);
  return v_left;$$);
