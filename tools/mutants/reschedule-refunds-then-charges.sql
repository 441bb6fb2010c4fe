-- id: reschedule-refunds-then-charges
-- family: work split
-- symptom: a booking whose deposit has expired cannot be moved, or is paid from another deposit
-- invariants: I2, I13
-- priority: P0
select pg_temp.change('public.reschedule_pilates_booking', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (v_old.user_id, p_new_slot_id, v_old.deposit_id)
$$, $$
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining + 1 where d.id = v_old.deposit_id;
  select d.id into v_old.deposit_id from public.pilates_deposits d
  where d.user_id = v_old.user_id and d.is_active and d.deposit_remaining > 0
    and (d.expires_at is null or d.expires_at > clock_timestamp())
  order by d.expires_at nulls last, d.credited_at, d.id
  limit 1;
  if v_old.deposit_id is null then
    perform studio.refuse(402, 'no classes left', 'Buy classes first.');
  end if;
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1 where d.id = v_old.deposit_id
  returning d.deposit_remaining into deposit_remaining;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
  values (v_old.user_id, p_new_slot_id, v_old.deposit_id)
$$);
