-- id: advisory-lock-per-member
-- family: control
-- why: an advisory lock per member stands for the locks on the member's deposits
create function studio.queue(p_user_id uuid) returns void language sql
as $$ select pg_advisory_xact_lock(hashtextextended(p_user_id::text, 1)) $$;
select pg_temp.change('public.book_pilates_class',
  'v_deposits := array(select id from public.pilates_deposits where user_id = p_user_id order by id for update);', $$
  perform studio.queue(p_user_id);
  v_deposits := array(select id from public.pilates_deposits where user_id = p_user_id);
$$);
select pg_temp.change('studio.give_back',
  'select * into v_deposit from public.pilates_deposits where id = v_booking.deposit_id for update;', $$
  perform studio.queue(v_booking.user_id);
  select * into v_deposit from public.pilates_deposits where id = v_booking.deposit_id;
$$);
select pg_temp.change('public.reschedule_pilates_booking', $$
  select d.deposit_remaining into deposit_remaining from public.pilates_deposits d
  where d.id = v_old.deposit_id for update;
$$, $$
  perform studio.queue(v_old.user_id);
  select d.deposit_remaining into deposit_remaining from public.pilates_deposits d where d.id = v_old.deposit_id;
$$);
