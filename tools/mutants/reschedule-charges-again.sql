-- id: reschedule-charges-again
-- family: amount wrong
-- symptom: moving a class to another day costs a second class
-- invariants: I2, I7, I9
-- priority: P0
-- reference: the bug of the user who asked for this suite, when a class is moved
select pg_temp.change('public.reschedule_pilates_booking', $$
  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;
$$, $$
  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;
  update public.pilates_deposits d set deposit_remaining = greatest(d.deposit_remaining - 1, 0)
  where d.id = v_old.deposit_id;
$$);
