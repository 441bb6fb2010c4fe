-- id: capacity-one-too-many
-- family: comparison shifted
-- symptom: one member more than the class has places
-- invariants: I3, I13
-- priority: P0
select pg_temp.change('studio.require_place', '>= p_slot.max_capacity', '> p_slot.max_capacity');
