-- id: book-writes-cancelled-row
-- family: wrong row or trace
-- symptom: the class is paid for, and the booking is written as cancelled
-- invariants: I1, I2, I3, I10
-- priority: P0
-- reference: the bug of the user who asked for this suite, with a row that nobody counts
select pg_temp.change('public.book_pilates_class', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
$$, $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id, status)
  values (p_user_id, p_slot_id, v_deposit.id, 'cancelled')
$$);
