-- id: cancel-without-class-lock
-- family: lock removed
-- symptom: none: the locks on the deposit and the booking keep cancellations apart
-- invariants: I2, I3, I13
-- priority: P0
-- equivalent: giving back never takes a place, and what it decides on is read under the booking's lock
select pg_temp.change('studio.give_back', 'where id = v_booking.slot_id for update', 'where id = v_booking.slot_id');
