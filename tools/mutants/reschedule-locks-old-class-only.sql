-- id: reschedule-locks-old-class-only
-- family: lock removed
-- symptom: two members move into the last place at the same moment, and both get it
-- invariants: I3, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.reschedule_pilates_booking',
  'where id in (v_old.slot_id, p_new_slot_id) order by id for update', 'where id = v_old.slot_id for update');
