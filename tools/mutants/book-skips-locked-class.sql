-- id: book-skips-locked-class
-- family: lock removed
-- symptom: while somebody else books, the class "does not exist"
-- invariants: I13
-- priority: P1
-- race: yes
-- needs: schedule
select pg_temp.change('public.book_pilates_class',
  'where id = p_slot_id for update', 'where id = p_slot_id for update skip locked');
