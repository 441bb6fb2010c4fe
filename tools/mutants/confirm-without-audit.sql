-- id: confirm-without-audit
-- family: statement deleted
-- symptom: nobody can say who ticked the member off
-- invariants: I9
-- priority: P1
select pg_temp.change('public.confirm_pilates_attendance', $$
    perform studio.audit('confirm_attendance', v_booking.user_id, p_booking_id, v_booking.slot_id,
      v_booking.deposit_id,
      jsonb_build_object('booking_status', v_booking.status), jsonb_build_object('booking_status', 'completed'));
$$, '');
