-- id: book-answers-other-id
-- family: wrong row or trace
-- symptom: the app keeps a booking number that does not exist, and cannot cancel
-- invariants: I1, I7
-- priority: P1
select pg_temp.change('public.book_pilates_class', 'booking_id := v_booking.id;', 'booking_id := v_deposit.id;');
select pg_temp.change('public.book_pilates_class',
  $$perform studio.audit('book', p_user_id, booking_id,$$, $$perform studio.audit('book', p_user_id, v_booking.id,$$);
