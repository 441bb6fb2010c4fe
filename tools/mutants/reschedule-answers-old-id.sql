-- id: reschedule-answers-old-id
-- family: wrong row or trace
-- symptom: after a move the app shows the booking that was given up
-- invariants: I1, I7
-- priority: P1
select pg_temp.change('public.reschedule_pilates_booking', $$
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', deposit_remaining));
end$$, $$
    jsonb_build_object('booking_id', booking_id, 'deposit_remaining', deposit_remaining));
  booking_id := p_booking_id;
end$$);
