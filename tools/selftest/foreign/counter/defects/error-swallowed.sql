-- What goes wrong while the booking is written is caught, and a success without a booking is answered.
select pg_temp.change('public.book_class',
$q$  INSERT INTO pilates_bookings (user_id, slot_id) VALUES (v_me, class_id) RETURNING id INTO v_booking;
  INSERT INTO booking_events (booking_id, what) VALUES (v_booking, 'booked');$q$,
$q$  BEGIN
    INSERT INTO pilates_bookings (user_id, slot_id) VALUES (v_me, class_id) RETURNING id INTO v_booking;
    INSERT INTO booking_events (booking_id, what) VALUES (v_booking, 'booked');
  EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'booking failed: %', SQLERRM;
  END;$q$);
