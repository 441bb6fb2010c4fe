-- id: cancel-empties-the-class
-- family: wrong row or trace
-- symptom: one member cancels, and everybody in the class loses the booking and the class
-- invariants: I1, I2, I3, I9
-- priority: P0
-- reference: the bug of the user who asked for this suite, by a condition on the wrong column
select pg_temp.change('studio.give_back',
  $$update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;$$,
  $$update public.pilates_bookings set status = 'cancelled' where slot_id = v_slot.id and status = 'confirmed';$$);
