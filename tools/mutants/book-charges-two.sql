-- id: book-charges-two
-- family: amount wrong
-- symptom: each booking costs two classes
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('public.book_pilates_class',
  'set deposit_remaining = d.deposit_remaining - 1', 'set deposit_remaining = d.deposit_remaining - 2');
