-- Book a class: the class must be offered, in the future, with a free place, not booked by the member already,
-- and a deposit of the member must hold a class. The deposit that expires soonest is charged.
create function public.book_pilates_class(
  p_user_id uuid, p_slot_id uuid, out booking_id uuid, out deposit_remaining integer
) language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_arguments jsonb := jsonb_build_object('p_user_id', p_user_id, 'p_slot_id', p_slot_id);
  v_answer    jsonb;
  v_slot      public.pilates_schedule_slots;
  v_deposits  uuid[];
  v_deposit   public.pilates_deposits;
  v_booking   public.pilates_bookings;
begin
  perform studio.require_permission(p_user_id, 'secretary', 'admin');
  v_answer := studio.first_answer('book', v_arguments);
  if v_answer is not null then
    booking_id := v_answer ->> 'booking_id';
    deposit_remaining := v_answer ->> 'deposit_remaining';
    return;
  end if;

  select * into v_slot from public.pilates_schedule_slots where id = p_slot_id for update;
  -- Only what is locked here may pay: a deposit credited meanwhile would be locked out of order, or is another's.
  v_deposits := array(select id from public.pilates_deposits where user_id = p_user_id order by id for update);
  perform studio.require_place(p_user_id, v_slot);

  select * into v_deposit from public.pilates_deposits d
  where d.id = any (v_deposits) and d.is_active and d.deposit_remaining > 0
    and (d.expires_at is null or d.expires_at > clock_timestamp())
  order by d.expires_at nulls last, d.credited_at, d.id
  limit 1;
  if v_deposit.id is null then
    perform studio.refuse(402, 'no classes left', 'Buy classes first.');
  end if;

  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
  where d.id = v_deposit.id
  returning d.deposit_remaining into deposit_remaining;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
  booking_id := v_booking.id;

  perform studio.audit('book', p_user_id, booking_id, p_slot_id, v_deposit.id,
    jsonb_build_object('deposit_remaining', v_deposit.deposit_remaining, 'booking_status', null),
    jsonb_build_object('deposit_remaining', deposit_remaining, 'booking_status', 'confirmed'));
  perform studio.tell_calendar('booked', v_booking);
  perform studio.keep_answer('book',
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', deposit_remaining));
end
$$;
