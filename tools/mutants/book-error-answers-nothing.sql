-- id: book-error-answers-nothing
-- family: exception swallowed
-- symptom: every refusal looks like success: the app says "booked", and nothing happened
-- invariants: I1, I7
-- priority: P1
select pg_temp.change('public.book_pilates_class', $$
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', deposit_remaining));
end$$, $$
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', deposit_remaining));
exception when sqlstate 'PT409' or sqlstate 'PT402' then
  booking_id := null;
end$$);
