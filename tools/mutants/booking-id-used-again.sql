-- id: booking-id-used-again
-- family: trigger or cascade
-- symptom: a class that was cancelled cannot be booked again: error page
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
$$, $$
  insert into public.pilates_bookings (id, user_id, slot_id, deposit_id)
  values (md5(p_user_id::text || p_slot_id::text)::uuid, p_user_id, p_slot_id, v_deposit.id)
$$);
