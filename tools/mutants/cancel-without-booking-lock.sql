-- id: cancel-without-booking-lock
-- family: lock removed
-- symptom: none: the lock on the class keeps two cancellations apart already
-- invariants: I2, I13
-- priority: P0
-- equivalent: every operation that changes a booking locks its class first, and reads the booking after that
select pg_temp.change('studio.give_back', 'where id = p_booking_id for update', 'where id = p_booking_id');
