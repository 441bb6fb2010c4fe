-- id: refund-to-newest-deposit
-- family: order turned
-- symptom: the class comes back to the latest purchase instead of the one it was paid from
-- invariants: I2, I13
-- priority: P0
select pg_temp.change('studio.give_back',
  'deposit_remaining + 1 where id = v_deposit.id', $$deposit_remaining + 1
  where id = (select d.id from public.pilates_deposits d where d.user_id = v_booking.user_id
              order by d.credited_at desc, d.id desc limit 1)$$);
