-- id: audit-without-trace
-- family: wrong row or trace
-- symptom: no entry of the log can be found by the request that made it
-- invariants: I9
-- priority: P1
select pg_temp.change('studio.audit', $$studio.header('x-trace-id')$$, 'null');
