-- id: reschedule-locks-in-order-of-travel
-- family: lock order
-- symptom: two members swap their classes at the same moment: one of them gets an error page (deadlock)
-- invariants: I13
-- priority: P1
-- race: yes
-- needs: schedule
select pg_temp.change('public.reschedule_pilates_booking', $$
  perform 1 from public.pilates_schedule_slots where id in (v_old.slot_id, p_new_slot_id) order by id for update;
$$, $$
  perform 1 from public.pilates_schedule_slots where id = v_old.slot_id for update;
  perform 1 from public.pilates_schedule_slots where id = p_new_slot_id for update;
$$);
