-- id: book-for-anybody
-- family: caller check dropped
-- symptom: a stranger books a class on a member's deposit
-- invariants: I16
-- priority: P0
select pg_temp.change('public.book_pilates_class',
  $$perform studio.require_permission(p_user_id, 'secretary', 'admin');$$, '');
