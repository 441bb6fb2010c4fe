-- id: confirm-without-update
-- family: statement deleted
-- symptom: the trainer ticks the member off, and the booking still looks as if nobody had come
-- invariants: I1, I9
-- priority: P1
select pg_temp.change('public.confirm_pilates_attendance',
  $$update public.pilates_bookings set status = 'completed' where id = p_booking_id;$$, '');
