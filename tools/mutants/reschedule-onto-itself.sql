-- id: reschedule-onto-itself
-- family: condition dropped
-- symptom: a booking is moved to the class it is for already: cancelled and made again
-- invariants: I13
-- priority: P1
select pg_temp.change('public.reschedule_pilates_booking',
  'perform studio.require_place(v_old.user_id, v_new_slot);', $$
  if v_new_slot.id is distinct from v_old.slot_id then
    perform studio.require_place(v_old.user_id, v_new_slot);
  end if;
$$);
