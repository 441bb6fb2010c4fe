-- id: deposit-below-zero
-- family: comparison shifted
-- symptom: members book without having paid, and their deposit goes below zero
-- invariants: I6, I13
-- priority: P0
alter table public.pilates_deposits drop constraint pilates_deposits_deposit_remaining_check;
select pg_temp.change('public.book_pilates_class', 'd.deposit_remaining > 0', 'd.deposit_remaining >= 0');
