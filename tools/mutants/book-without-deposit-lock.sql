-- id: book-without-deposit-lock
-- family: lock removed
-- symptom: two bookings on the last class: one gets an error page; the audit entries do not add up
-- invariants: I9, I13
-- priority: P0
-- race: yes
-- needs: schedule
select pg_temp.change('public.book_pilates_class', 'order by id for update', 'order by id');
