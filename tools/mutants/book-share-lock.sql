-- id: book-share-lock
-- family: lock removed
-- symptom: more members are booked than the class has places: a lock is there, but it lets others in
-- invariants: I3, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.book_pilates_class', 'where id = p_slot_id for update', 'where id = p_slot_id for share');
