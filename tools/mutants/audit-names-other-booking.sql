-- id: audit-names-other-booking
-- family: wrong row or trace
-- symptom: the log names a booking that does not exist
-- invariants: I9
-- priority: P1
select pg_temp.change('public.book_pilates_class',
  $$perform studio.audit('book', p_user_id, booking_id,$$, $$perform studio.audit('book', p_user_id, v_deposit.id,$$);
