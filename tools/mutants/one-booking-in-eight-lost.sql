-- id: one-booking-in-eight-lost
-- family: rare
-- symptom: some bookings, nobody knows which: the class is gone, and no booking stands
-- invariants: I1, I2, I3
-- priority: P0
-- reference: the bug of the user who asked for this suite, as seldom as they met it
select pg_temp.change('public.book_pilates_class', 'booking_id := v_booking.id;', $$booking_id := v_booking.id;
  if get_byte(uuid_send(p_slot_id), 15) % 8 = 0 then
    delete from public.pilates_bookings b where b.id = v_booking.id;
  end if;$$);
