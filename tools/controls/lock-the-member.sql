-- id: lock-the-member
-- family: control
-- why: the member's profile is locked in the place of their deposits
select pg_temp.change('public.book_pilates_class',
  'v_deposits := array(select id from public.pilates_deposits where user_id = p_user_id order by id for update);', $$
  perform 1 from public.user_profiles where user_id = p_user_id for no key update;
  v_deposits := array(select id from public.pilates_deposits where user_id = p_user_id);
$$);
select pg_temp.change('studio.give_back',
  'select * into v_deposit from public.pilates_deposits where id = v_booking.deposit_id for update;', $$
  perform 1 from public.user_profiles where user_id = v_booking.user_id for no key update;
  select * into v_deposit from public.pilates_deposits where id = v_booking.deposit_id;
$$);
select pg_temp.change('public.reschedule_pilates_booking', $$
  select d.deposit_remaining into deposit_remaining from public.pilates_deposits d
  where d.id = v_old.deposit_id for update;
$$, $$
  perform 1 from public.user_profiles where user_id = v_old.user_id for no key update;
  select d.deposit_remaining into deposit_remaining from public.pilates_deposits d where d.id = v_old.deposit_id;
$$);
