-- id: unique-index-decides
-- family: control
-- why: nobody asks beforehand whether the member has booked: the unique index says so, in the same words
select pg_temp.change('studio.require_place',
  $$slot_id = p_slot.id and user_id = p_user_id and status = 'confirmed'$$, 'false');
select pg_temp.change('public.book_pilates_class', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (p_user_id, p_slot_id, v_deposit.id)
  returning * into v_booking;
$$, $$
  begin
    insert into public.pilates_bookings (user_id, slot_id, deposit_id)
    values (p_user_id, p_slot_id, v_deposit.id)
    returning * into v_booking;
  exception when unique_violation then
    perform studio.refuse(409, 'already booked', 'The booking stands; nothing needs to be done.');
  end;
$$);
select pg_temp.change('public.reschedule_pilates_booking', $$
  perform studio.require_place(v_old.user_id, v_new_slot);
$$, $$
  if exists (select from public.pilates_bookings b
             where b.user_id = v_old.user_id and b.slot_id = p_new_slot_id and b.status = 'confirmed') then
    perform studio.refuse(409, 'already booked', 'The booking stands; nothing needs to be done.');
  end if;
  perform studio.require_place(v_old.user_id, v_new_slot);
$$);
