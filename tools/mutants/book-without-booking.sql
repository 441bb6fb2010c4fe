-- id: book-without-booking
-- family: statement deleted
-- symptom: the app says "booked", a class is gone from the deposit, and no booking stands in the calendar
-- invariants: I1, I2, I7, I13
-- priority: P0
-- reference: the bug of the user who asked for this suite
select pg_temp.change('public.book_pilates_class', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
$$, $$
  select gen_random_uuid(), p_user_id, p_slot_id into v_booking.id, v_booking.user_id, v_booking.slot_id;
$$);
