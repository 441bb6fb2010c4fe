-- id: calendar-failure-forgets-event
-- family: calendar event
-- symptom: the calendar is down for a moment, and never hears of the booking
-- invariants: I10
-- priority: P0
-- needs: calendar
create function studio.give_up() returns trigger language plpgsql
as $$
begin
  new.delivered_at := clock_timestamp();
  return new;
end
$$;
create trigger give_up before update on public.pilates_calendar_outbox
  for each row when (new.last_error is not null) execute function studio.give_up();
