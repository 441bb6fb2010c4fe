-- id: refund-by-booking
-- family: control
-- why: the deposit that gets the class back is found from the booking in the statement that writes it
select pg_temp.change('studio.give_back', $$
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = v_deposit.id
  returning deposit_remaining into v_left;
$$, $$
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining + 1
  from public.pilates_bookings b where b.id = p_booking_id and d.id = b.deposit_id
  returning d.deposit_remaining into v_left;
$$);
