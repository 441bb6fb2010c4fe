-- id: book-skips-locked-deposit
-- family: lock removed
-- symptom: a member who books two classes at once is told that no classes are left
-- invariants: I13
-- priority: P1
-- race: yes
-- needs: schedule
select pg_temp.change('public.book_pilates_class', 'order by id for update', 'order by id for update skip locked');
