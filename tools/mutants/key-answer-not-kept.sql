-- id: key-answer-not-kept
-- family: early idempotent return removed
-- symptom: a request that is sent again is worked on again
-- invariants: I11
-- priority: P0
-- needs: retry
create or replace function studio.keep_answer(p_operation text, p_answer jsonb) returns void language sql
as $$ select $$;
