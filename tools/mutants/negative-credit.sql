-- id: negative-credit
-- family: condition dropped
-- symptom: the front desk mistypes -5, and the member owes five classes
-- invariants: I6, I13
-- priority: P0
alter table public.pilates_deposits drop constraint pilates_deposits_deposit_remaining_check;
alter table public.pilates_deposits drop constraint pilates_deposits_classes_credited_check;
select pg_temp.change('public.credit_pilates_deposit', 'coalesce(p_classes, 0) <= 0', 'coalesce(p_classes, 0) = 0');
