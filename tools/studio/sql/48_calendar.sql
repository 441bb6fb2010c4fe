-- What the calendar's worker does with the outbox. Its role may call these functions and do nothing else.

-- Take up to so many events that are due, and keep them locked until the transaction ends. Of each booking only the
-- first undelivered one is eligible, so a cancellation never overtakes its booking; that order is the order of ids,
-- since they are given out under the booking's lock. Where a class stands is read now: the calendar is told the truth
-- of its delivery, not of its writing.
create function studio.calendar_due(
  p_limit integer, out id bigint, out booking_id uuid, out user_id uuid, out event text, out trace_id text,
  out starts_at timestamptz, out ends_at timestamptz
) returns setof record language sql security definer set search_path = pg_catalog, pg_temp
as $$
  select o.id, o.booking_id, o.user_id, o.event, o.trace_id,
    studio.starts_at(s.date, s.start_time), studio.starts_at(s.date, s.end_time)
  from public.pilates_calendar_outbox o left join public.pilates_schedule_slots s on s.id = o.slot_id
  where o.delivered_at is null and o.next_attempt_at <= clock_timestamp()
    and not exists (
      select from public.pilates_calendar_outbox e
      where e.booking_id = o.booking_id and e.id < o.id and e.delivered_at is null
    )
  order by o.id limit p_limit
  for update of o skip locked
$$;

create function studio.calendar_delivered(p_ids bigint[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  update public.pilates_calendar_outbox set delivered_at = clock_timestamp(), last_error = null
  where id = any (p_ids)
$$;

-- Note a failure where staff see it, and when to try again: after 0.2 s, doubling up to 5 s, less up to half of it by
-- chance, so that what failed together does not come back together.
create function studio.calendar_failed(p_id bigint, p_error text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_row public.pilates_calendar_outbox;
begin
  update public.pilates_calendar_outbox set
    attempts = attempts + 1,
    last_error = p_error,
    next_attempt_at = clock_timestamp()
      + least(5, 0.2 * 2 ^ least(attempts, 10)) * (1 - random() / 2) * interval '1 second'
  where id = p_id
  returning * into v_row;
  if v_row.id is not null then
    insert into public.pilates_audit_log
      (trace_id, caller_role, operation, user_id, booking_id, slot_id, before, after)
    values
      (v_row.trace_id, 'calendar worker', 'calendar', v_row.user_id, v_row.booking_id, v_row.slot_id,
       jsonb_build_object('event', v_row.event),
       jsonb_build_object('event', v_row.event, 'error', p_error, 'attempts', v_row.attempts,
                          'next_attempt_at', v_row.next_attempt_at));
  end if;
end
$$;

-- A class that is given another time has other entries in its members' calendars.
create function studio.tell_calendar_of_move() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.pilates_calendar_outbox (booking_id, user_id, slot_id, event, trace_id)
  select b.id, b.user_id, b.slot_id, 'moved', studio.header('x-trace-id')
  from public.pilates_bookings b where b.slot_id = new.id and b.status <> 'cancelled';
  return null;
end
$$;

create trigger tells_calendar after update of date, start_time, end_time on public.pilates_schedule_slots
  for each row when ((old.date, old.start_time, old.end_time) is distinct from (new.date, new.start_time, new.end_time))
  execute function studio.tell_calendar_of_move();
