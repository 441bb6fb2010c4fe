-- id: book-from-switched-off-deposit
-- family: condition dropped
-- symptom: a deposit that was switched off still pays
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class', 'and d.is_active and d.deposit', 'and d.deposit');
