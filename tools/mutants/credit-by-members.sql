-- id: credit-by-members
-- family: caller check dropped
-- symptom: members credit themselves as many classes as they like
-- invariants: I16
-- priority: P0
select pg_temp.change('public.credit_pilates_deposit', $$perform studio.require_staff('secretary', 'admin');$$, '');
