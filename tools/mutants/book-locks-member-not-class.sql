-- id: book-locks-member-not-class
-- family: lock removed
-- symptom: members who want the last place do not exclude each other: all of them get it
-- invariants: I3, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.book_pilates_class',
  'select * into v_slot from public.pilates_schedule_slots where id = p_slot_id for update;', $$
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text, 0));
  select * into v_slot from public.pilates_schedule_slots where id = p_slot_id;
$$);
