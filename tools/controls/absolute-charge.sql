-- id: absolute-charge
-- family: control
-- why: the new count is written as a number: right, since it was read under the lock
select pg_temp.change('public.book_pilates_class',
  'set deposit_remaining = d.deposit_remaining - 1', 'set deposit_remaining = v_deposit.deposit_remaining - 1');
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1', 'set deposit_remaining = v_deposit.deposit_remaining + 1');
