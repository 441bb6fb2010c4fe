-- id: book-twice-is-an-error
-- family: condition dropped
-- symptom: a second tap shows the words of the database instead of "already booked"
-- invariants: I13
-- priority: P1
select pg_temp.change('studio.require_place', $$user_id = p_user_id and status = 'confirmed'$$, 'false');
