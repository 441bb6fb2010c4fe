-- id: refund-again
-- family: early idempotent return removed
-- symptom: cancelling a cancelled booking once more gives another class back
-- invariants: I2, I13
-- priority: P0
select pg_temp.change('studio.give_back', $$
  if v_booking.status = 'cancelled' then
    return 0;
  end if;
  if v_booking.status <> 'confirmed' then
$$, $$
  if v_booking.status not in ('confirmed', 'cancelled') then
$$);
