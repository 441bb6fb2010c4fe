-- id: cancel-without-calendar
-- family: statement deleted
-- symptom: the member has cancelled, and the calendar still shows the place as taken
-- invariants: I10
-- priority: P0
select pg_temp.change('studio.give_back', $$perform studio.tell_calendar('cancelled', v_booking);$$, '');
