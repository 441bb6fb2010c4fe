-- id: key-ignored
-- family: early idempotent return removed
-- symptom: the answer is lost, the app asks again, and is told "already booked"; a purchase counts twice
-- invariants: I11
-- priority: P0
-- needs: retry
select pg_temp.change('studio.first_answer', 'if v_key is null then', 'if true then');
