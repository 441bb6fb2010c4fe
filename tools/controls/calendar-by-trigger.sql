-- id: calendar-by-trigger
-- family: control
-- why: the calendar is told by a trigger on the bookings instead of by each function
create or replace function studio.tell_calendar(p_event text, p_booking public.pilates_bookings) returns void
language sql as $$ select $$;
create function studio.pass_on() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'UPDATE' and new.status = old.status or new.status not in ('confirmed', 'cancelled') then
    return null;
  end if;
  insert into public.pilates_calendar_outbox (booking_id, user_id, slot_id, event, trace_id)
  values (new.id, new.user_id, new.slot_id, case new.status when 'confirmed' then 'booked' else 'cancelled' end,
          nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-trace-id');
  return null;
end
$$;
create trigger pass_on after insert or update of status on public.pilates_bookings
  for each row execute function studio.pass_on();
