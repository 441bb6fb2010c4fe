-- id: reschedule-inserts-first
-- family: control
-- why: the new booking is written before the old one is given up
select pg_temp.change('public.reschedule_pilates_booking', $$
  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (v_old.user_id, p_new_slot_id, v_old.deposit_id)
  returning * into v_new;
$$, $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (v_old.user_id, p_new_slot_id, v_old.deposit_id)
  returning * into v_new;
  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;
$$);
