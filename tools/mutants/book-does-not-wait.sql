-- id: book-does-not-wait
-- family: lock removed
-- symptom: while somebody else books, the member gets an error page
-- invariants: I13
-- priority: P1
-- race: yes
-- needs: schedule
select pg_temp.change('public.book_pilates_class',
  'where id = p_slot_id for update', 'where id = p_slot_id for update nowait');
