-- id: capacity-one-too-few
-- family: comparison shifted
-- symptom: the last place of a class can never be booked
-- invariants: I13
-- priority: P1
select pg_temp.change('studio.require_place', '>= p_slot.max_capacity', '>= p_slot.max_capacity - 1');
