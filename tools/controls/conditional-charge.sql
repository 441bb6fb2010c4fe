-- id: conditional-charge
-- family: control
-- why: no lock on deposits: "update ... where deposit_remaining > 0 returning", and once more if it missed
select pg_temp.change('public.book_pilates_class',
  'v_deposits := array(select id from public.pilates_deposits where user_id = p_user_id order by id for update);',
  'v_deposits := array(select id from public.pilates_deposits where user_id = p_user_id);');
select pg_temp.change('public.book_pilates_class', $$
  select * into v_deposit from public.pilates_deposits d
  where d.id = any (v_deposits) and d.is_active and d.deposit_remaining > 0
    and (d.expires_at is null or d.expires_at > clock_timestamp())
  order by d.expires_at nulls last, d.credited_at, d.id
  limit 1;
  if v_deposit.id is null then
    perform studio.refuse(402, 'no classes left', 'Buy classes first.');
  end if;

  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
  where d.id = v_deposit.id
  returning d.deposit_remaining into deposit_remaining;
$$, $$
  loop
    select * into v_deposit from public.pilates_deposits d
    where d.id = any (v_deposits) and d.is_active and d.deposit_remaining > 0
      and (d.expires_at is null or d.expires_at > clock_timestamp())
    order by d.expires_at nulls last, d.credited_at, d.id
    limit 1;
    if v_deposit.id is null then
      perform studio.refuse(402, 'no classes left', 'Buy classes first.');
    end if;
    update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
    where d.id = v_deposit.id and d.is_active and d.deposit_remaining > 0
    returning d.deposit_remaining into deposit_remaining;
    exit when found;
  end loop;
  v_deposit.deposit_remaining := deposit_remaining + 1;
$$);
