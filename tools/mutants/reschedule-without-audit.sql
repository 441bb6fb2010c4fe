-- id: reschedule-without-audit
-- family: statement deleted
-- symptom: a booking was moved, and no entry says so
-- invariants: I9
-- priority: P1
select pg_temp.change('public.reschedule_pilates_booking', $$
  perform studio.audit('reschedule', v_old.user_id, booking_id, p_new_slot_id, v_old.deposit_id,
    jsonb_build_object('deposit_remaining', deposit_remaining, 'booking_status', v_old.status,
                       'booking_id', p_booking_id, 'slot_id', v_old.slot_id),
    jsonb_build_object('deposit_remaining', deposit_remaining, 'booking_status', 'confirmed',
                       'booking_id', booking_id, 'slot_id', p_new_slot_id));
$$, '');
