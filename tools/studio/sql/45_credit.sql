-- The front desk sells classes: each purchase is a deposit of its own.
create function public.credit_pilates_deposit(
  p_user_id uuid, p_classes integer, p_expires_at timestamptz default null,
  out deposit_id uuid, out deposit_remaining integer
) language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- In one zone: the same instant must read the same in a retry from another session.
  v_arguments jsonb := jsonb_build_object('p_user_id', p_user_id, 'p_classes', p_classes,
                                          'p_expires_at', p_expires_at at time zone 'UTC');
  v_answer    jsonb;
begin
  perform studio.require_staff('secretary', 'admin');
  v_answer := studio.first_answer('credit', v_arguments);
  if v_answer is not null then
    deposit_id := v_answer ->> 'deposit_id';
    deposit_remaining := v_answer ->> 'deposit_remaining';
    return;
  end if;
  if coalesce(p_classes, 0) <= 0 then
    perform studio.refuse(422, 'invalid request: at least one class must be credited', 'Say how many classes.');
  end if;
  if not exists (select from public.user_profiles where user_id = p_user_id) then
    perform studio.refuse(422, 'invalid request: there is no such member', 'Check the member.');
  end if;

  insert into public.pilates_deposits as d (user_id, classes_credited, deposit_remaining, expires_at)
  values (p_user_id, p_classes, p_classes, p_expires_at)
  returning d.id, d.deposit_remaining into deposit_id, deposit_remaining;

  perform studio.audit('credit', p_user_id, null, null, deposit_id,
    jsonb_build_object('deposit_remaining', 0), jsonb_build_object('deposit_remaining', deposit_remaining));
  perform studio.keep_answer('credit',
    jsonb_build_object('deposit_id', deposit_id, 'deposit_remaining', deposit_remaining));
end
$$;
