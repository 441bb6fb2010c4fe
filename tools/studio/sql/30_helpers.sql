-- What every rule needs: who is calling, what time it is, and the three records of a change.
-- Functions with their owner's rights name pg_temp last: left out, it would be searched first, and a type that a
-- caller made there would run the caller's code with those rights.

create function studio.zone() returns text language sql immutable
  return 'Europe/Athens';

-- The instant at which a class starts, whatever zone the session or the client is in.
create function studio.starts_at(p_date date, p_time time) returns timestamptz language sql immutable
  return (p_date + p_time) at time zone studio.zone();

create function studio.has_started(p_date date, p_time time) returns boolean language sql stable
  return studio.starts_at(p_date, p_time) <= clock_timestamp();

create function studio.claim(p_name text) returns text language sql stable
  return nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> p_name;

-- A header sent empty is one not sent.
create function studio.header(p_name text) returns text language sql stable
  return nullif(nullif(current_setting('request.headers', true), '')::jsonb ->> p_name, '');

create function studio.caller() returns uuid language sql stable
  return studio.claim('sub')::uuid;

-- The caller's role in the studio: service, a profile's role, or nobody (null).
create function studio.caller_role() returns text language sql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
  select case
    when studio.claim('role') = 'service_role' then 'service'
    else (select p.role from public.user_profiles p where p.user_id = studio.caller())
  end
$$;

create function studio.is_staff() returns boolean language sql stable
  return coalesce(studio.caller_role() in ('trainer', 'secretary', 'admin', 'service'), false);

-- Refuse with an HTTP status of our own (PostgREST turns SQLSTATE PTnnn into status nnn).
create function studio.refuse(p_status integer, p_message text, p_hint text) returns void language plpgsql
as $$
begin
  raise exception using errcode = 'PT' || p_status, message = p_message, hint = p_hint;
end
$$;

-- Let pass who acts for themselves, or whose role may act for others.
create function studio.require_permission(p_owner uuid, variadic p_roles text[]) returns void language plpgsql stable
as $$
declare
  v_role text := studio.caller_role();
begin
  if v_role is null
     or not (coalesce(studio.caller() = p_owner, false) or v_role = any (p_roles) or v_role = 'service') then
    perform studio.refuse(403, 'not allowed', 'Sign in as the member concerned, or as staff who may do this.');
  end if;
end
$$;

create function studio.require_staff(variadic p_roles text[]) returns void language plpgsql stable
as $$
begin
  if not coalesce(studio.caller_role() = any (p_roles || 'service'::text), false) then
    perform studio.refuse(403, 'not allowed', 'Ask the front desk.');
  end if;
end
$$;

create function studio.require_booking(p_booking_id uuid) returns void language plpgsql stable
as $$
begin
  if not exists (select from public.pilates_bookings where id = p_booking_id) then
    perform studio.refuse(404, 'booking not found', 'Look the booking up again.');
  end if;
end
$$;

-- Let pass who may act on this booking: its member, or staff who name that member.
create function studio.require_booking_permission(p_booking_id uuid, p_user_id uuid, variadic p_roles text[])
returns void language plpgsql stable
as $$
declare
  v_owner uuid;
begin
  perform studio.require_permission(p_user_id, variadic p_roles);
  perform studio.require_booking(p_booking_id);
  select user_id into v_owner from public.pilates_bookings where id = p_booking_id;
  if v_owner is distinct from p_user_id then
    perform studio.refuse(403, 'not allowed', 'The booking belongs to another member.');
  end if;
end
$$;

-- Take up the request's idempotency key. Null: go on; otherwise the first answer to the same request.
-- Whoever comes second with a key that is being worked on waits here for the first to commit or roll back.
create function studio.first_answer(p_operation text, p_arguments jsonb) returns jsonb language plpgsql
as $$
declare
  v_key    text := studio.header('idempotency-key');
  v_caller uuid := coalesce(studio.caller(), '00000000-0000-0000-0000-000000000000');
  v_found  public.idempotency_keys;
begin
  if v_key is null then
    return null;
  end if;
  insert into public.idempotency_keys (caller, operation, key, arguments)
  values (v_caller, p_operation, v_key, p_arguments)
  on conflict do nothing;
  if found then
    return null;
  end if;
  select * into strict v_found from public.idempotency_keys
  where caller = v_caller and operation = p_operation and key = v_key;
  if v_found.arguments <> p_arguments then
    perform studio.refuse(422, 'invalid request: this idempotency key belongs to another request',
                          'Use a new key for a new request.');
  end if;
  return v_found.answer;
end
$$;

create function studio.keep_answer(p_operation text, p_answer jsonb) returns void language sql
as $$
  update public.idempotency_keys set answer = p_answer
  where caller = coalesce(studio.caller(), '00000000-0000-0000-0000-000000000000')
    and operation = p_operation and key = studio.header('idempotency-key')
$$;

create function studio.audit(
  p_operation text, p_user_id uuid, p_booking_id uuid, p_slot_id uuid, p_deposit_id uuid, p_before jsonb, p_after jsonb
) returns void language sql
as $$
  insert into public.pilates_audit_log
    (trace_id, test_id, actor, caller, caller_role, operation, user_id, booking_id, slot_id, deposit_id, before, after)
  values
    (studio.header('x-trace-id'), studio.header('x-test-id'), studio.header('x-actor'), studio.caller(),
     studio.caller_role(), p_operation, p_user_id, p_booking_id, p_slot_id, p_deposit_id, p_before, p_after)
$$;

create function studio.tell_calendar(p_event text, p_booking public.pilates_bookings) returns void language sql
as $$
  insert into public.pilates_calendar_outbox (booking_id, user_id, slot_id, event, trace_id)
  values (p_booking.id, p_booking.user_id, p_booking.slot_id, p_event, studio.header('x-trace-id'))
$$;

-- Refuse a place that cannot be given to the member. The caller of this holds the lock on the slot.
create function studio.require_place(p_user_id uuid, p_slot public.pilates_schedule_slots) returns void language plpgsql
as $$
begin
  if p_slot.id is null then
    perform studio.refuse(404, 'class not found', 'Choose a class from the schedule.');
  end if;
  if not p_slot.is_active then
    perform studio.refuse(409, 'class not offered', 'Choose another class.');
  end if;
  if studio.has_started(p_slot.date, p_slot.start_time) then
    perform studio.refuse(409, 'class has started', 'Choose a later class.');
  end if;
  if exists (select from public.pilates_bookings
             where slot_id = p_slot.id and user_id = p_user_id and status = 'confirmed') then
    perform studio.refuse(409, 'already booked', 'The booking stands; nothing needs to be done.');
  end if;
  if (select count(*) from public.pilates_bookings
      where slot_id = p_slot.id and status = 'confirmed') >= p_slot.max_capacity then
    perform studio.refuse(409, 'class is full', 'Choose another class.');
  end if;
end
$$;
