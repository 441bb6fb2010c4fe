-- id: calendar-told-tomorrow
-- family: calendar event
-- symptom: the booking appears in the calendar a day later
-- invariants: I10
-- priority: P0
-- needs: calendar
alter table public.pilates_calendar_outbox
  alter column next_attempt_at set default clock_timestamp() + interval '1 day';
