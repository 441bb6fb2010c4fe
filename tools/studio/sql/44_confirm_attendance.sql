-- The member was there: the booking is completed and its class is used up. Trainers may say so too.
create function public.confirm_pilates_attendance(p_booking_id uuid, p_user_id uuid) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_arguments jsonb := jsonb_build_object('p_booking_id', p_booking_id, 'p_user_id', p_user_id);
  v_booking   public.pilates_bookings;
begin
  perform studio.require_booking_permission(p_booking_id, p_user_id, 'trainer', 'secretary', 'admin');
  if studio.first_answer('confirm_attendance', v_arguments) is not null then
    return 'completed';
  end if;

  -- The slot is locked too: the number of confirmed bookings changes.
  perform 1 from public.pilates_schedule_slots s
  where s.id = (select b.slot_id from public.pilates_bookings b where b.id = p_booking_id) for update;
  select * into v_booking from public.pilates_bookings where id = p_booking_id for update;
  perform studio.require_booking(p_booking_id);

  if v_booking.status not in ('confirmed', 'completed') then
    perform studio.refuse(409, 'booking not confirmed', 'Only a booking that stands can be attended.');
  end if;
  if v_booking.status = 'confirmed' then
    update public.pilates_bookings set status = 'completed' where id = p_booking_id;
    perform studio.audit('confirm_attendance', v_booking.user_id, p_booking_id, v_booking.slot_id,
      v_booking.deposit_id,
      jsonb_build_object('booking_status', v_booking.status), jsonb_build_object('booking_status', 'completed'));
  end if;
  perform studio.keep_answer('confirm_attendance', '"completed"');
  return 'completed';
end
$$;
