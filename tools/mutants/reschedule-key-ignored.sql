-- id: reschedule-key-ignored
-- family: early idempotent return removed
-- symptom: the answer to a move is lost, the app asks again, and is told that there is no such booking
-- invariants: I11
-- priority: P0
-- needs: retry
select pg_temp.change('public.reschedule_pilates_booking', 'if v_answer is not null then', 'if false then');
