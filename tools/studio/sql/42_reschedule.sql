-- Move a booking to another class, in one transaction: the member never has neither. The class stays paid from
-- the same deposit, so nothing is charged and nothing is given back.
create function public.reschedule_pilates_booking(
  p_booking_id uuid, p_user_id uuid, p_new_slot_id uuid, out booking_id uuid, out deposit_remaining integer
) language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_arguments jsonb := jsonb_build_object('p_booking_id', p_booking_id, 'p_user_id', p_user_id,
                                          'p_new_slot_id', p_new_slot_id);
  v_answer    jsonb;
  v_old       public.pilates_bookings;
  v_new       public.pilates_bookings;
  v_old_slot  public.pilates_schedule_slots;
  v_new_slot  public.pilates_schedule_slots;
begin
  perform studio.require_booking_permission(p_booking_id, p_user_id, 'secretary', 'admin');
  v_answer := studio.first_answer('reschedule', v_arguments);
  if v_answer is not null then
    booking_id := v_answer ->> 'booking_id';
    deposit_remaining := v_answer ->> 'deposit_remaining';
    return;
  end if;

  select * into v_old from public.pilates_bookings where id = p_booking_id;
  perform 1 from public.pilates_schedule_slots where id in (v_old.slot_id, p_new_slot_id) order by id for update;
  select d.deposit_remaining into deposit_remaining from public.pilates_deposits d
  where d.id = v_old.deposit_id for update;
  select * into v_old from public.pilates_bookings where id = p_booking_id for update;
  perform studio.require_booking(p_booking_id);
  select * into v_old_slot from public.pilates_schedule_slots where id = v_old.slot_id;
  select * into v_new_slot from public.pilates_schedule_slots where id = p_new_slot_id;

  if v_old.status <> 'confirmed' then
    perform studio.refuse(409, 'booking not confirmed', 'Only a booking that stands can be moved.');
  end if;
  perform studio.require_place(v_old.user_id, v_new_slot);
  if studio.has_started(v_old_slot.date, v_old_slot.start_time) then
    perform studio.refuse(409, 'class has started', 'Ask the front desk.');
  end if;

  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (v_old.user_id, p_new_slot_id, v_old.deposit_id)
  returning * into v_new;
  booking_id := v_new.id;

  perform studio.audit('reschedule', v_old.user_id, booking_id, p_new_slot_id, v_old.deposit_id,
    jsonb_build_object('deposit_remaining', deposit_remaining, 'booking_status', v_old.status,
                       'booking_id', p_booking_id, 'slot_id', v_old.slot_id),
    jsonb_build_object('deposit_remaining', deposit_remaining, 'booking_status', 'confirmed',
                       'booking_id', booking_id, 'slot_id', p_new_slot_id));
  perform studio.tell_calendar('cancelled', v_old);
  perform studio.tell_calendar('booked', v_new);
  perform studio.keep_answer('reschedule',
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', deposit_remaining));
end
$$;
