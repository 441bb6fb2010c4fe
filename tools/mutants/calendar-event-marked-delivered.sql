-- id: calendar-event-marked-delivered
-- family: calendar event
-- symptom: the event is written as delivered, and the calendar never hears of the booking
-- invariants: I10
-- priority: P0
-- needs: calendar
alter table public.pilates_calendar_outbox alter column delivered_at set default clock_timestamp();
