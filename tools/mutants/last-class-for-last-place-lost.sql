-- id: last-class-for-last-place-lost
-- family: interaction of factors
-- symptom: the last class of a deposit for the last place of a class: paid, and no booking stands
-- invariants: I1, I2, I3
-- priority: P0
-- reference: the bug of the user who asked for this suite, where two things must come together
select pg_temp.change('public.book_pilates_class', 'booking_id := v_booking.id;', $$booking_id := v_booking.id;
  if deposit_remaining = 0 and v_slot.max_capacity <= (
       select count(*) from public.pilates_bookings b where b.slot_id = p_slot_id and b.status = 'confirmed') then
    delete from public.pilates_bookings b where b.id = v_booking.id;
  end if;$$);
