-- id: book-not-from-unlimited-deposit
-- family: condition dropped
-- symptom: classes bought without an end cannot be used
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class', 'd.expires_at is null or ', '');
