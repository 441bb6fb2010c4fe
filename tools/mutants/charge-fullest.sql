-- id: charge-fullest
-- family: order turned
-- symptom: the deposit with the most classes pays
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class',
  'order by d.expires_at nulls last', 'order by d.deposit_remaining desc');
