-- id: book-reads-capacity-before-lock
-- family: lock taken after the read
-- symptom: the studio takes a place away at the same moment, and it is booked all the same
-- invariants: I3, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.book_pilates_class',
  'select * into v_slot from public.pilates_schedule_slots where id = p_slot_id for update;', $$
  select * into v_slot from public.pilates_schedule_slots where id = p_slot_id;
  perform 1 from public.pilates_schedule_slots where id = p_slot_id for update;
$$);
