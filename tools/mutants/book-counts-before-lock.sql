-- id: book-counts-before-lock
-- family: lock taken after the read
-- symptom: more members are booked than the class has places, although the class is locked
-- invariants: I3, I13
-- priority: P0
-- race: yes
-- needs: schedule
-- reference: Warszawski and Bailis, ACIDRain, SIGMOD 2017: checks outside of the lock in web shops
select pg_temp.change('public.book_pilates_class', 'perform studio.require_place(p_user_id, v_slot);', '');
select pg_temp.change('public.book_pilates_class',
  'select * into v_slot from public.pilates_schedule_slots where id = p_slot_id for update;', $$
  select * into v_slot from public.pilates_schedule_slots where id = p_slot_id;
  perform studio.require_place(p_user_id, v_slot);
  perform 1 from public.pilates_schedule_slots where id = p_slot_id for update;
$$);
