-- id: calendar-told-backwards
-- family: calendar event
-- symptom: the calendar hears of the cancellation first and of the booking last
-- invariants: I10
-- priority: P0
alter table public.pilates_calendar_outbox alter column id set minvalue -1000000000 set increment by -1;
