-- id: cancel-reads-before-lock
-- family: lock taken after the read
-- symptom: two cancellations of one booking at the same moment give two classes back
-- invariants: I2, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('studio.give_back',
  'select * into v_booking from public.pilates_bookings where id = p_booking_id for update;',
  'perform 1 from public.pilates_bookings where id = p_booking_id for update;');
