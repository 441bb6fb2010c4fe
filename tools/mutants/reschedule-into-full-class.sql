-- id: reschedule-into-full-class
-- family: condition dropped
-- symptom: by booking an empty class and moving, everybody gets into the full one
-- invariants: I3, I13
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking',
  'perform studio.require_place(v_old.user_id, v_new_slot);', $$
  perform studio.require_place(v_old.user_id, (v_new_slot.id, v_new_slot.date, v_new_slot.start_time,
    v_new_slot.end_time, 1000000, v_new_slot.is_active)::public.pilates_schedule_slots);
$$);
