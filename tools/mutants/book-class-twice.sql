-- id: book-class-twice
-- family: condition dropped
-- symptom: a second tap books the same class again, and pays again
-- invariants: I5, I13
-- priority: P0
drop index public.pilates_bookings_stands_once;
select pg_temp.change('studio.require_place', $$user_id = p_user_id and status = 'confirmed'$$, 'false');
