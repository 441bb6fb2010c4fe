-- id: reschedule-without-booking
-- family: statement deleted
-- symptom: the app says "moved", the old place is given up, and the new one is not there
-- invariants: I1, I2, I7, I13
-- priority: P0
-- reference: the bug of the user who asked for this suite, when a class is moved
select pg_temp.change('public.reschedule_pilates_booking', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (v_old.user_id, p_new_slot_id, v_old.deposit_id)
  returning * into v_new;
$$, $$
  select gen_random_uuid(), v_old.user_id, p_new_slot_id into v_new.id, v_new.user_id, v_new.slot_id;
$$);
