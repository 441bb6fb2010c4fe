-- id: reschedule-reads-before-lock
-- family: lock taken after the read
-- symptom: cancelled and moved at the same moment: the class is back and the new place is taken
-- invariants: I2, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.reschedule_pilates_booking',
  'select * into v_old from public.pilates_bookings where id = p_booking_id for update;',
  'perform 1 from public.pilates_bookings where id = p_booking_id for update;');
