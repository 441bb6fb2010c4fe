-- id: capacity-counts-cancelled
-- family: view or counter
-- symptom: a cancelled place stays taken: the class counts as full
-- invariants: I13
-- priority: P1
select pg_temp.change('studio.require_place',
  $$slot_id = p_slot.id and status = 'confirmed')$$, $$slot_id = p_slot.id)$$);
