-- id: cancel-all-of-the-member
-- family: wrong row or trace
-- symptom: one class is given up, and the member's other bookings are gone with it
-- invariants: I1, I2, I9
-- priority: P0
select pg_temp.change('studio.give_back',
  $$update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;$$,
  $$update public.pilates_bookings set status = 'cancelled'
  where user_id = v_booking.user_id and status = 'confirmed';$$);
