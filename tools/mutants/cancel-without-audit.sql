-- id: cancel-without-audit
-- family: statement deleted
-- symptom: a class came back, and no entry says who gave it up
-- invariants: I9
-- priority: P1
select pg_temp.change('studio.give_back', $$
  perform studio.audit(p_operation, v_booking.user_id, p_booking_id, v_slot.id, v_deposit.id,
    jsonb_build_object('deposit_remaining', v_deposit.deposit_remaining, 'booking_status', v_booking.status),
    jsonb_build_object('deposit_remaining', v_left, 'booking_status', 'cancelled') || p_details);
$$, '');
