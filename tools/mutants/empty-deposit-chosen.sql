-- id: empty-deposit-chosen
-- family: comparison shifted
-- symptom: a member without classes gets an error page, also when another deposit could pay
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class', 'd.deposit_remaining > 0', 'd.deposit_remaining >= 0');
