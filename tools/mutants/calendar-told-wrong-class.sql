-- id: calendar-told-wrong-class
-- family: calendar event
-- symptom: after a move the calendar shows the new booking at the old time
-- invariants: I10
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking', $$perform studio.tell_calendar('booked', v_new);$$, $$
  v_new.slot_id := v_old.slot_id;
  perform studio.tell_calendar('booked', v_new);
$$);
