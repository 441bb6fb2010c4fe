-- id: audit-before-and-after-swapped
-- family: wrong row or trace
-- symptom: the log says that a booking gave a class and a cancellation took one
-- invariants: I9
-- priority: P1
select pg_temp.change('studio.audit', 'p_deposit_id, p_before, p_after)', 'p_deposit_id, p_after, p_before)');
