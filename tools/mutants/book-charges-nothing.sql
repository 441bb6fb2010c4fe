-- id: book-charges-nothing
-- family: amount wrong
-- symptom: bookings cost nothing
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('public.book_pilates_class',
  'set deposit_remaining = d.deposit_remaining - 1', 'set deposit_remaining = d.deposit_remaining - 0');
