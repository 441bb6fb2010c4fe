-- Give a booking up: the booking is cancelled and its class goes back to the deposit it came from.

-- The work that cancelling and removing share. It locks slot, deposit and booking, in this order, and decides on
-- what stands once the locks are held. Returns the classes given back: 0 when it was cancelled already.
create function studio.give_back(
  p_operation text, p_booking_id uuid, p_details jsonb, p_also_when_started boolean
) returns integer language plpgsql
as $$
declare
  v_slot    public.pilates_schedule_slots;
  v_deposit public.pilates_deposits;
  v_booking public.pilates_bookings;
  v_left    integer;
begin
  select * into v_booking from public.pilates_bookings where id = p_booking_id;
  select * into v_slot from public.pilates_schedule_slots where id = v_booking.slot_id for update;
  select * into v_deposit from public.pilates_deposits where id = v_booking.deposit_id for update;
  select * into v_booking from public.pilates_bookings where id = p_booking_id for update;
  perform studio.require_booking(p_booking_id);

  if v_booking.status = 'cancelled' then
    return 0;
  end if;
  if v_booking.status <> 'confirmed' then
    perform studio.refuse(409, 'booking not confirmed', 'A class that was attended cannot be given back.');
  end if;
  if not p_also_when_started and studio.has_started(v_slot.date, v_slot.start_time) then
    perform studio.refuse(409, 'class has started', 'Ask the front desk.');
  end if;

  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = v_deposit.id
  returning deposit_remaining into v_left;

  perform studio.audit(p_operation, v_booking.user_id, p_booking_id, v_slot.id, v_deposit.id,
    jsonb_build_object('deposit_remaining', v_deposit.deposit_remaining, 'booking_status', v_booking.status),
    jsonb_build_object('deposit_remaining', v_left, 'booking_status', 'cancelled') || p_details);
  perform studio.tell_calendar('cancelled', v_booking);
  return 1;
end
$$;

-- The member, or the front desk in the member's name. A class that has started is not given back.
create function public.cancel_pilates_booking(p_booking_id uuid, p_user_id uuid) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_arguments jsonb := jsonb_build_object('p_booking_id', p_booking_id, 'p_user_id', p_user_id);
  v_answer    jsonb;
begin
  perform studio.require_booking_permission(p_booking_id, p_user_id, 'secretary', 'admin');
  v_answer := studio.first_answer('cancel', v_arguments);
  if v_answer is null then
    v_answer := to_jsonb(studio.give_back('cancel', p_booking_id, '{}', false));
    perform studio.keep_answer('cancel', v_answer);
  end if;
  return v_answer;
end
$$;
