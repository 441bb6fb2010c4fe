-- id: refund-lost-after-third-change
-- family: rare
-- symptom: whoever books and cancels the same class several times loses one at the third time
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1 where id', $$set deposit_remaining = deposit_remaining
    + case when (select count(*) from public.pilates_bookings b
                 where b.user_id = v_booking.user_id and b.slot_id = v_booking.slot_id and b.status = 'cancelled') >= 3
      then 0 else 1 end
  where id$$);
