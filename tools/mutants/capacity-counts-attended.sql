-- id: capacity-counts-attended
-- family: view or counter
-- symptom: a class with one member ticked off and one place free counts as full
-- invariants: I13
-- priority: P1
select pg_temp.change('studio.require_place',
  $$slot_id = p_slot.id and status = 'confirmed')$$, $$slot_id = p_slot.id and status in ('confirmed', 'completed'))$$);
