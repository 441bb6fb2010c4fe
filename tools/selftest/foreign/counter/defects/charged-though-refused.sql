-- The deposit is charged before the places are counted; the answer says that it failed, and commits.
select pg_temp.change('public.book_class', $q$  IF v_class.booked_count >= v_class.max_capacity THEN$q$,
$q$  UPDATE pilates_deposits SET deposit_remaining = deposit_remaining - 1
  WHERE id = (SELECT id FROM pilates_deposits WHERE user_id = v_me AND is_active AND deposit_remaining > 0
                AND coalesce(expires_at > clock_timestamp(), true) ORDER BY credited_at, id LIMIT 1)
  RETURNING * INTO v_deposit;
  IF v_class.booked_count >= v_class.max_capacity THEN$q$);
select pg_temp.change('public.book_class',
$q$  SELECT * INTO v_deposit FROM pilates_deposits
  WHERE user_id = v_me AND is_active AND deposit_remaining > 0 AND coalesce(expires_at > clock_timestamp(), true)
  ORDER BY credited_at, id LIMIT 1 FOR UPDATE;
  IF NOT FOUND THEN$q$, $q$  IF v_deposit.id IS NULL THEN$q$);
select pg_temp.change('public.book_class',
$q$  UPDATE pilates_deposits SET deposit_remaining = deposit_remaining - 1 WHERE id = v_deposit.id;
  INSERT$q$, $q$  INSERT$q$);
