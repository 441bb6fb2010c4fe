-- id: one-statement-booking
-- family: control
-- why: deposit and booking are written by one statement
select pg_temp.change('public.book_pilates_class', $$
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
  where d.id = v_deposit.id
  returning d.deposit_remaining into deposit_remaining;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
$$, $$
  with paid as (
    update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
    where d.id = v_deposit.id
    returning d.id, d.deposit_remaining
  ), made as (
    insert into public.pilates_bookings (user_id, slot_id, deposit_id)
    select p_user_id, p_slot_id, paid.id from paid
    returning *
  )
  select made.id, made.user_id, made.slot_id, made.deposit_id, made.status, made.created_at
  into v_booking.id, v_booking.user_id, v_booking.slot_id, v_booking.deposit_id, v_booking.status, v_booking.created_at
  from made;
  select d.deposit_remaining into deposit_remaining from public.pilates_deposits d where d.id = v_deposit.id;
$$);
