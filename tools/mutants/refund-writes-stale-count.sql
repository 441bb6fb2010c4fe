-- id: refund-writes-stale-count
-- family: lost update
-- symptom: a class comes back while the member books another one: one of the two does not count
-- invariants: I2, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('studio.give_back',
  'where id = v_booking.deposit_id for update', 'where id = v_booking.deposit_id');
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1', 'set deposit_remaining = v_deposit.deposit_remaining + 1');
