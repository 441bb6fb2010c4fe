-- id: cancel-locks-deposit-first
-- family: lock order
-- symptom: cancelling and booking at the same moment: one of the two gets an error page (deadlock)
-- invariants: I13
-- priority: P1
-- race: yes
-- needs: schedule
select pg_temp.change('studio.give_back', $$
  select * into v_slot from public.pilates_schedule_slots where id = v_booking.slot_id for update;
  select * into v_deposit from public.pilates_deposits where id = v_booking.deposit_id for update;
$$, $$
  select * into v_deposit from public.pilates_deposits where id = v_booking.deposit_id for update;
  select * into v_slot from public.pilates_schedule_slots where id = v_booking.slot_id for update;
$$);
