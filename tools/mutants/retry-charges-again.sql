-- id: retry-charges-again
-- family: retry repeats a side effect
-- symptom: the answer is lost, the app asks again: one booking, and two classes gone
-- invariants: I2, I11
-- priority: P0
-- needs: retry
-- reference: the bug of the user who asked for this suite, on a bad connection
select pg_temp.change('public.book_pilates_class', $$
    booking_id := v_answer ->> 'booking_id';
$$, $$
    booking_id := v_answer ->> 'booking_id';
    update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
    where d.deposit_remaining > 0
      and d.id = (select b.deposit_id from public.pilates_bookings b where b.id = (v_answer ->> 'booking_id')::uuid);
$$);
