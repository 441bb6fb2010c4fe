-- id: book-charges-every-deposit
-- family: amount wrong
-- symptom: a member with two deposits pays one class from each
-- invariants: I2, I9
-- priority: P0
select pg_temp.change('public.book_pilates_class', $$
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
$$, $$
  update public.pilates_deposits d set deposit_remaining = d.deposit_remaining - 1
  where d.id = any (v_deposits) and d.id <> v_deposit.id and d.deposit_remaining > 0;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id)
$$);
