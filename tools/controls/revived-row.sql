-- id: revived-row
-- family: control
-- why: who books again after cancelling gets the old row back, with a new deposit and its old number
select pg_temp.change('public.book_pilates_class', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
$$, $$
  update public.pilates_bookings b set status = 'confirmed', deposit_id = v_deposit.id, created_at = clock_timestamp()
  where b.id = (select old.id from public.pilates_bookings old
                where old.user_id = p_user_id and old.slot_id = p_slot_id and old.status = 'cancelled'
                order by old.created_at desc, old.id limit 1)
  returning * into v_booking;
  if v_booking.id is null then
    insert into public.pilates_bookings (user_id, slot_id, deposit_id)
    values (p_user_id, p_slot_id, v_deposit.id)
    returning * into v_booking;
  end if;
$$);
