-- id: confirm-gives-back
-- family: amount wrong
-- symptom: whoever attends gets the class back
-- invariants: I2, I9
-- priority: P0
select pg_temp.change('public.confirm_pilates_attendance', $$
    update public.pilates_bookings set status = 'completed' where id = p_booking_id;
$$, $$
    update public.pilates_bookings set status = 'completed' where id = p_booking_id;
    update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = v_booking.deposit_id;
$$);
