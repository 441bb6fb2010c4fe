-- id: calendar-overtakes
-- family: calendar event
-- symptom: a cancellation reaches the calendar before its booking, whose delivery failed; then the entry stays for ever
-- invariants: I10
-- priority: P0
-- needs: worker
select pg_temp.change('studio.calendar_due', 'and e.id < o.id and', 'and e.id < 0 and');
