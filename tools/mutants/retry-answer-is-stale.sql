-- id: retry-answer-is-stale
-- family: idempotency scope
-- symptom: the repeated request says one class more is left than the first one did
-- invariants: I11
-- priority: P1
-- needs: retry
select pg_temp.change('public.book_pilates_class', $$
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', deposit_remaining));
end$$, $$
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', v_deposit.deposit_remaining));
end$$);
