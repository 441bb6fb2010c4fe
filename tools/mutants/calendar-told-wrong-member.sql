-- id: calendar-told-wrong-member
-- family: calendar event
-- symptom: what the front desk books appears in the front desk's own calendar
-- invariants: I10
-- priority: P0
select pg_temp.change('studio.tell_calendar', 'p_booking.user_id', 'coalesce(studio.caller(), p_booking.user_id)');
