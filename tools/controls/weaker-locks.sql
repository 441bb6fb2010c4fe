-- id: weaker-locks
-- family: control
-- why: "for no key update" is enough where no key is changed
select pg_temp.change('public.book_pilates_class',
  'where id = p_slot_id for update', 'where id = p_slot_id for no key update');
select pg_temp.change('public.book_pilates_class', 'order by id for update', 'order by id for no key update');
select pg_temp.change('studio.give_back',
  'where id = v_booking.slot_id for update', 'where id = v_booking.slot_id for no key update');
select pg_temp.change('studio.give_back',
  'where id = v_booking.deposit_id for update', 'where id = v_booking.deposit_id for no key update');
select pg_temp.change('public.reschedule_pilates_booking', 'order by id for update', 'order by id for no key update');
select pg_temp.change('public.confirm_pilates_attendance',
  'b.id = p_booking_id) for update', 'b.id = p_booking_id) for no key update');
