-- id: conditional-cancel
-- family: control
-- why: the booking is not locked: "update ... where status = 'confirmed' returning" decides who cancels
select pg_temp.change('studio.give_back', $$
  select * into v_booking from public.pilates_bookings where id = p_booking_id for update;
$$, $$
  select * into v_booking from public.pilates_bookings where id = p_booking_id;
$$);
select pg_temp.change('studio.give_back', $$
  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;
$$, $$
  update public.pilates_bookings set status = 'cancelled' where id = p_booking_id and status = 'confirmed';
  if not found then
    perform studio.require_booking(p_booking_id);
    return 0;
  end if;
$$);
