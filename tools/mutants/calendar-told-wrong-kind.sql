-- id: calendar-told-wrong-kind
-- family: calendar event
-- symptom: a cancelled class appears in the calendar once more
-- invariants: I10
-- priority: P0
select pg_temp.change('studio.give_back',
  $$perform studio.tell_calendar('cancelled', v_booking);$$, $$perform studio.tell_calendar('booked', v_booking);$$);
