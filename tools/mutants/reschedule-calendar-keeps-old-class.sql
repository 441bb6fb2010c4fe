-- id: reschedule-calendar-keeps-old-class
-- family: statement deleted
-- symptom: after a move the calendar shows both classes
-- invariants: I10
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking', $$perform studio.tell_calendar('cancelled', v_old);$$, '');
