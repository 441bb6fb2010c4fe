-- id: book-reads-capacity-before-lock
-- family: lock taken after the read
-- symptom: none: a place taken away at the same moment may be booked a moment before
-- invariants: I3, I13
-- priority: P0
-- equivalent: booking and lowering were under way together; booked first and lowered then explains what is found
select pg_temp.change('public.book_pilates_class',
  'select * into v_slot from public.pilates_schedule_slots where id = p_slot_id for update;', $$
  select * into v_slot from public.pilates_schedule_slots where id = p_slot_id;
  perform 1 from public.pilates_schedule_slots where id = p_slot_id for update;
$$);
