-- id: trainer-books
-- family: caller check dropped
-- symptom: a trainer spends the classes of any member
-- invariants: I16
-- priority: P1
select pg_temp.change('public.book_pilates_class',
  $$p_user_id, 'secretary', 'admin'$$, $$p_user_id, 'trainer', 'secretary', 'admin'$$);
