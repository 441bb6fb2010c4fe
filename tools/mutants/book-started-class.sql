-- id: book-started-class
-- family: condition dropped
-- symptom: a class that is over can be booked
-- invariants: I13
-- priority: P1
select pg_temp.change('studio.require_place',
  'if studio.has_started(p_slot.date, p_slot.start_time) then', 'if false then');
