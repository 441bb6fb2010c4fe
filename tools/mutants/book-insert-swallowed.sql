-- id: book-insert-swallowed
-- family: exception swallowed
-- symptom: the database fails while the booking is written: the class is gone, the app says "booked"
-- invariants: I1, I2, I7, I12
-- priority: P0
-- needs: fault
-- reference: the bug of the user who asked for this suite, as an error handler makes it
select pg_temp.change('public.book_pilates_class', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
$$, $$
  begin
    insert into public.pilates_bookings (user_id, slot_id, deposit_id)
    values (p_user_id, p_slot_id, v_deposit.id)
    returning * into v_booking;
  exception when others then
    select gen_random_uuid(), p_user_id, p_slot_id into v_booking.id, v_booking.user_id, v_booking.slot_id;
  end;
$$);
