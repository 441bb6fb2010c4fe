-- id: reschedule-gives-back
-- family: amount wrong
-- symptom: each move to another class brings a class back: train all month with one class
-- invariants: I2, I7, I9
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking', $$
  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;
$$, $$
  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining + 1 where d.id = v_old.deposit_id;
$$);
