-- id: confirm-reads-before-lock
-- family: lock taken after the read
-- symptom: the trainer ticks off a booking that was just cancelled: attended, and the class is back
-- invariants: I1, I2, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.confirm_pilates_attendance', $$
  perform 1 from public.pilates_schedule_slots s
$$, $$
  select * into v_booking from public.pilates_bookings where id = p_booking_id;
  perform 1 from public.pilates_schedule_slots s
$$);
select pg_temp.change('public.confirm_pilates_attendance',
  'select * into v_booking from public.pilates_bookings where id = p_booking_id for update;',
  'perform 1 from public.pilates_bookings where id = p_booking_id for update;');
