-- id: charge-rounded-down
-- family: amount wrong
-- symptom: members with more than twenty classes pay two for one
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('public.book_pilates_class',
  'set deposit_remaining = d.deposit_remaining - 1', 'set deposit_remaining = floor(d.deposit_remaining * 0.95)');
