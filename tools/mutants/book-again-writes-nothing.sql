-- id: book-again-writes-nothing
-- family: conflict clause changed
-- symptom: a class that was once cancelled is booked again: paid for, and no booking stands
-- invariants: I1, I2, I3, I13
-- priority: P0
-- reference: the bug of the user who asked for this suite, behind a unique index and "on conflict do nothing"
drop index public.pilates_bookings_stands_once;
create unique index pilates_bookings_stands_once on public.pilates_bookings (user_id, slot_id);
select pg_temp.change('public.book_pilates_class', $$
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
$$, $$
  values (p_user_id, p_slot_id, v_deposit.id)
  on conflict (user_id, slot_id) do nothing;
  select * into v_booking from public.pilates_bookings where user_id = p_user_id and slot_id = p_slot_id;
$$);
