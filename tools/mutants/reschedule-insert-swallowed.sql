-- id: reschedule-insert-swallowed
-- family: exception swallowed
-- symptom: a move fails half way: the old place is given up, and there is no new one
-- invariants: I1, I2, I12
-- priority: P0
-- needs: fault
select pg_temp.change('public.reschedule_pilates_booking', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (v_old.user_id, p_new_slot_id, v_old.deposit_id)
  returning * into v_new;
$$, $$
  begin
    insert into public.pilates_bookings (user_id, slot_id, deposit_id)
    values (v_old.user_id, p_new_slot_id, v_old.deposit_id)
    returning * into v_new;
  exception when others then
    select gen_random_uuid(), v_old.user_id, p_new_slot_id into v_new.id, v_new.user_id, v_new.slot_id;
  end;
$$);
