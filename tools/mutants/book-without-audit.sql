-- id: book-without-audit
-- family: statement deleted
-- symptom: a member asks where a class went, and no entry says that it was booked
-- invariants: I9
-- priority: P1
select pg_temp.change('public.book_pilates_class', $$
  perform studio.audit('book', p_user_id, booking_id, p_slot_id, v_deposit.id,
    jsonb_build_object('deposit_remaining', v_deposit.deposit_remaining, 'booking_status', null),
    jsonb_build_object('deposit_remaining', deposit_remaining, 'booking_status', 'confirmed'));
$$, '');
