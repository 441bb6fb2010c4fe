-- id: reschedule-keeps-old-booking
-- family: statement deleted
-- symptom: after a move the member stands in both classes and has paid for one
-- invariants: I1, I2, I3
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking',
  $$update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;$$, '');
