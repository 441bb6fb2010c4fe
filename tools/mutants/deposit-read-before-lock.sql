-- id: deposit-read-before-lock
-- family: lost update
-- symptom: a member books two different classes at the same moment and pays for one of them
-- invariants: I2, I9, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.book_pilates_class', 'order by id for update', 'order by id');
select pg_temp.change('public.book_pilates_class',
  'set deposit_remaining = d.deposit_remaining - 1', 'set deposit_remaining = v_deposit.deposit_remaining - 1');
