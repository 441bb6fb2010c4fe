-- id: book-full-class
-- family: condition dropped
-- symptom: everybody gets into a full class
-- invariants: I3, I13
-- priority: P0
select pg_temp.change('studio.require_place', '>= p_slot.max_capacity then', '>= p_slot.max_capacity and false then');
