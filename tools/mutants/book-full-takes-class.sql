-- id: book-full-takes-class
-- family: work split
-- symptom: the class was full: the member is told so by an empty answer, and has paid
-- invariants: I1, I2, I12
-- priority: P0
-- reference: the bug of the user who asked for this suite, with the charge before the last check
select pg_temp.change('public.book_pilates_class', 'perform studio.require_place(p_user_id, v_slot);', $$
  perform studio.require_place(p_user_id, (v_slot.id, v_slot.date, v_slot.start_time, v_slot.end_time,
                                           1000000, v_slot.is_active)::public.pilates_schedule_slots);
$$);
select pg_temp.change('public.book_pilates_class', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
$$, $$
  if (select count(*) from public.pilates_bookings b
      where b.slot_id = p_slot_id and b.status = 'confirmed') >= v_slot.max_capacity then
    return;
  end if;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
$$);
