-- id: charge-unlimited-first
-- family: order turned
-- symptom: the classes without an end are used up, and the ones with an end expire
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class',
  'order by d.expires_at nulls last', 'order by d.expires_at nulls first');
