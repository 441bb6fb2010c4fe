-- id: booking-before-charge
-- family: control
-- why: the booking is written first and the deposit second: one transaction, so the order is free
select pg_temp.change('public.book_pilates_class', $$
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
  where d.id = v_deposit.id
  returning d.deposit_remaining into deposit_remaining;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
$$, $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
  where d.id = v_deposit.id
  returning d.deposit_remaining into deposit_remaining;
$$);
