-- id: charge-newest
-- family: order turned
-- symptom: the latest purchase pays, and the older one expires unused
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class',
  'order by d.expires_at nulls last, d.credited_at,', 'order by d.credited_at desc,');
