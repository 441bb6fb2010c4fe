-- id: calendar-event-swallowed
-- family: exception swallowed
-- symptom: the outbox cannot be written: booked and paid, and the calendar is never told
-- invariants: I10
-- priority: P0
-- needs: fault
create or replace function studio.tell_calendar(p_event text, p_booking public.pilates_bookings) returns void
language plpgsql
as $$
begin
  insert into public.pilates_calendar_outbox (booking_id, user_id, slot_id, event, trace_id)
  values (p_booking.id, p_booking.user_id, p_booking.slot_id, p_event, studio.header('x-trace-id'));
exception when others then
  raise warning 'calendar: %', sqlerrm;
end
$$;
