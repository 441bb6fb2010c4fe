-- id: reschedule-calendar-without-new-class
-- family: statement deleted
-- symptom: after a move the calendar shows neither class
-- invariants: I10
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking', $$perform studio.tell_calendar('booked', v_new);$$, '');
