-- id: remove-reads-before-lock
-- family: lock taken after the read
-- symptom: the member cancels while the front desk removes: two classes come back
-- invariants: I2, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('studio.give_back',
  'select * into v_booking from public.pilates_bookings where id = p_booking_id for update;', $$
  if p_operation = 'cancel' then
    select * into v_booking from public.pilates_bookings where id = p_booking_id for update;
  end if;
$$);
