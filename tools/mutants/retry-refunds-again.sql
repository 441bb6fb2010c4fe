-- id: retry-refunds-again
-- family: retry repeats a side effect
-- symptom: the answer to a cancellation is lost, the app asks again: two classes come back
-- invariants: I2, I11
-- priority: P0
-- needs: retry
select pg_temp.change('public.cancel_pilates_booking', $$
    perform studio.keep_answer('cancel', v_answer);
$$, $$
    perform studio.keep_answer('cancel', v_answer);
  else
    update public.pilates_deposits set deposit_remaining = deposit_remaining + 1
    where id = (select b.deposit_id from public.pilates_bookings b where b.id = p_booking_id);
$$);
