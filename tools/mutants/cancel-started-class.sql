-- id: cancel-started-class
-- family: condition dropped
-- symptom: whoever does not come cancels afterwards and has the class back
-- invariants: I13
-- priority: P1
select pg_temp.change('studio.give_back', 'if not p_also_when_started and ', 'if false and ');
