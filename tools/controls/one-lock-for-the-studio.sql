-- id: one-lock-for-the-studio
-- family: control
-- why: advisory lock for the whole studio in the place of the locks on class, deposit and booking
create function studio.queue() returns void language sql
as $$ select pg_advisory_xact_lock(20251024) $$;
select pg_temp.change('public.book_pilates_class',
  'select * into v_slot from public.pilates_schedule_slots where id = p_slot_id for update;', $$
  perform studio.queue();
  select * into v_slot from public.pilates_schedule_slots where id = p_slot_id;
$$);
select pg_temp.change('public.book_pilates_class', 'order by id for update', 'order by id');
select pg_temp.change('studio.give_back', $$
  select * into v_booking from public.pilates_bookings where id = p_booking_id;
  select * into v_slot from public.pilates_schedule_slots where id = v_booking.slot_id for update;
  select * into v_deposit from public.pilates_deposits where id = v_booking.deposit_id for update;
  select * into v_booking from public.pilates_bookings where id = p_booking_id for update;
$$, $$
  perform studio.queue();
  select * into v_booking from public.pilates_bookings where id = p_booking_id for update;
  select * into v_slot from public.pilates_schedule_slots where id = v_booking.slot_id;
  select * into v_deposit from public.pilates_deposits where id = v_booking.deposit_id;
$$);
select pg_temp.change('public.reschedule_pilates_booking', $$
  perform 1 from public.pilates_schedule_slots where id in (v_old.slot_id, p_new_slot_id) order by id for update;
$$, $$
  perform studio.queue();
$$);
select pg_temp.change('public.confirm_pilates_attendance', $$
  perform 1 from public.pilates_schedule_slots s
  where s.id = (select b.slot_id from public.pilates_bookings b where b.id = p_booking_id) for update;
$$, $$
  perform studio.queue();
$$);
select pg_temp.change('public.check_and_expire_pilates_deposits', $$
  for v_deposit in
$$, $$
  perform studio.queue();
  for v_deposit in
$$);
