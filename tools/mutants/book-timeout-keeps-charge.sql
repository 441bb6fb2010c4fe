-- id: book-timeout-keeps-charge
-- family: exception swallowed
-- symptom: the booking takes too long and is broken off: the class is gone, and no booking stands
-- invariants: I1, I2, I12
-- priority: P0
-- needs: fault
-- reference: PostgreSQL, PL/pgSQL "Trapping Errors": query_canceled can be trapped by name
select pg_temp.change('public.book_pilates_class', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
$$, $$
  begin
    insert into public.pilates_bookings (user_id, slot_id, deposit_id)
    values (p_user_id, p_slot_id, v_deposit.id)
    returning * into v_booking;
  exception when query_canceled or lock_not_available then
    return;
  end;
$$);
