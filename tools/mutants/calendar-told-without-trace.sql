-- id: calendar-told-without-trace
-- family: calendar event
-- symptom: an event in the calendar cannot be traced to the request that made it
-- invariants: I10
-- priority: P1
select pg_temp.change('studio.tell_calendar', $$studio.header('x-trace-id')$$, 'null');
