-- id: calendar-told-twice
-- family: calendar event
-- symptom: each booking stands twice in the calendar
-- invariants: I10
-- priority: P0
create or replace function studio.tell_calendar(p_event text, p_booking public.pilates_bookings) returns void
language sql as $$
  insert into public.pilates_calendar_outbox (booking_id, user_id, slot_id, event, trace_id)
  select p_booking.id, p_booking.user_id, p_booking.slot_id, p_event, studio.header('x-trace-id')
  from generate_series(1, 2)
$$;
