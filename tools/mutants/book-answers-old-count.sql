-- id: book-answers-old-count
-- family: wrong row or trace
-- symptom: the app shows one class more than the deposit holds
-- invariants: I7
-- priority: P1
select pg_temp.change('public.book_pilates_class', $$
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', deposit_remaining));
end$$, $$
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', deposit_remaining));
  deposit_remaining := v_deposit.deposit_remaining;
end$$);
