-- id: confirm-charges-again
-- family: amount wrong
-- symptom: ticking the member off at the door takes a second class
-- invariants: I2, I9
-- priority: P0
select pg_temp.change('public.confirm_pilates_attendance', $$
    update public.pilates_bookings set status = 'completed' where id = p_booking_id;
$$, $$
    update public.pilates_bookings set status = 'completed' where id = p_booking_id;
    update public.pilates_deposits set deposit_remaining = greatest(deposit_remaining - 1, 0)
    where id = v_booking.deposit_id;
$$);
