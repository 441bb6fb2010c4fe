-- id: reschedule-names-newest-deposit
-- family: order turned
-- symptom: a moved booking, cancelled later, brings the class back to another deposit
-- invariants: I2, I13
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking',
  'values (v_old.user_id, p_new_slot_id, v_old.deposit_id)', $$values (v_old.user_id, p_new_slot_id,
          (select d.id from public.pilates_deposits d where d.user_id = v_old.user_id
           order by d.credited_at desc, d.id desc limit 1))$$);
