-- id: book-switched-off-class
-- family: condition dropped
-- symptom: a class that the studio has called off can be booked
-- invariants: I13
-- priority: P1
select pg_temp.change('studio.require_place', 'if not p_slot.is_active then', 'if false then');
