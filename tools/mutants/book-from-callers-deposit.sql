-- id: book-from-callers-deposit
-- family: condition dropped
-- symptom: the front desk cannot book for a member: "no classes left"
-- invariants: I13
-- priority: P0
select pg_temp.change('public.book_pilates_class',
  'where user_id = p_user_id order by', 'where user_id = studio.caller() order by');
