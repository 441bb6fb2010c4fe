-- id: cancel-keeps-booking
-- family: statement deleted
-- symptom: the class comes back, and the member still stands in the calendar
-- invariants: I1, I2, I10
-- priority: P0
select pg_temp.change('studio.give_back',
  $$update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;$$, '');
