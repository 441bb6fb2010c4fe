-- id: cancel-attended-class
-- family: condition dropped
-- symptom: a class that was attended is given back
-- invariants: I13
-- priority: P0
select pg_temp.change('studio.give_back', $$if v_booking.status <> 'confirmed' then$$, 'if false then');
