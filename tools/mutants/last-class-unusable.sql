-- id: last-class-unusable
-- family: comparison shifted
-- symptom: the last class of a deposit cannot be booked
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class', 'd.deposit_remaining > 0', 'd.deposit_remaining > 1');
