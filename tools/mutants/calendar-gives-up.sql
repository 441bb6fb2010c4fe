-- id: calendar-gives-up
-- family: calendar event
-- symptom: a booking or cancellation that the calendar did not take at the first try never reaches it
-- invariants: I10
-- priority: P0
-- needs: worker
select pg_temp.change('studio.calendar_failed', 'last_error = p_error,', 'last_error = p_error, delivered_at = now(),');
