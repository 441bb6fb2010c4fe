-- id: refund-to-usable-deposit
-- family: order turned
-- symptom: a class paid from a deposit that has expired since comes back to another one
-- invariants: I2, I13
-- priority: P0
select pg_temp.change('studio.give_back',
  'deposit_remaining + 1 where id = v_deposit.id', $$deposit_remaining + 1
  where id = coalesce((select d.id from public.pilates_deposits d
                       where d.user_id = v_booking.user_id and d.is_active
                         and (d.expires_at is null or d.expires_at > clock_timestamp())
                       order by (d.id = v_deposit.id) desc, d.expires_at nulls last limit 1), v_deposit.id)$$);
