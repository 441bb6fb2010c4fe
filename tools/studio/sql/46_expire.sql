-- Switch off the deposits whose time is over. Bookings already paid from them stay.
create function public.check_and_expire_pilates_deposits() returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_answer  jsonb;
  v_deposit public.pilates_deposits;
  v_count   integer := 0;
begin
  perform studio.require_staff('secretary', 'admin');
  v_answer := studio.first_answer('expire', '{}');
  if v_answer is not null then
    return v_answer;
  end if;
  for v_deposit in
    select * from public.pilates_deposits where is_active and expires_at <= clock_timestamp() order by id for update
  loop
    update public.pilates_deposits set is_active = false where id = v_deposit.id;
    perform studio.audit('expire', v_deposit.user_id, null, null, v_deposit.id,
      jsonb_build_object('deposit_remaining', v_deposit.deposit_remaining, 'is_active', true),
      jsonb_build_object('deposit_remaining', v_deposit.deposit_remaining, 'is_active', false));
    v_count := v_count + 1;
  end loop;
  perform studio.keep_answer('expire', to_jsonb(v_count));
  return v_count;
end
$$;
