-- id: reschedule-cancels-first
-- family: work split
-- symptom: the other class is full: the old place is given up all the same, and the class is lost
-- invariants: I1, I2, I12
-- priority: P0
-- reference: the bug of the user who asked for this suite, when a class is moved into a full one
select pg_temp.change('public.reschedule_pilates_booking',
  'perform studio.require_place(v_old.user_id, v_new_slot);', $$
  begin
    perform studio.require_place(v_old.user_id, v_new_slot);
  exception when sqlstate 'PT409' then
    update public.pilates_bookings b set status = 'cancelled' where b.id = p_booking_id;
    return;
  end;
$$);
