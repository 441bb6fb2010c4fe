-- id: confirm-without-lock
-- family: lock removed
-- symptom: cancelled on the phone and ticked off at the door: attended, and the class is back all the same
-- invariants: I1, I2, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.confirm_pilates_attendance', $$
  where s.id = (select b.slot_id from public.pilates_bookings b where b.id = p_booking_id) for update;
  select * into v_booking from public.pilates_bookings where id = p_booking_id for update;
$$, $$
  where s.id = (select b.slot_id from public.pilates_bookings b where b.id = p_booking_id);
  select * into v_booking from public.pilates_bookings where id = p_booking_id;
$$);
