-- id: charge-longest-lasting
-- family: order turned
-- symptom: the deposit that lasts longest pays, and the one that ends soon expires unused
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class',
  'order by d.expires_at nulls last', 'order by d.expires_at desc nulls last');
