-- id: refund-twice
-- family: lock removed
-- symptom: two cancellations of one booking at the same moment give two classes back
-- invariants: I2, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('studio.give_back', 'where id = v_booking.slot_id for update', 'where id = v_booking.slot_id');
select pg_temp.change('studio.give_back',
  'where id = v_booking.deposit_id for update', 'where id = v_booking.deposit_id');
select pg_temp.change('studio.give_back', 'where id = p_booking_id for update', 'where id = p_booking_id');
