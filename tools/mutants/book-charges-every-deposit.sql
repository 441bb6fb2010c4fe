-- id: book-charges-every-deposit
-- family: amount wrong
-- symptom: a member with two deposits pays one class from each
-- invariants: I2, I9
-- priority: P0
select pg_temp.change('public.book_pilates_class',
  'where d.id = v_deposit.id', 'where d.id = any (v_deposits) and d.deposit_remaining > 0');
