-- id: credit-key-ignored
-- family: early idempotent return removed
-- symptom: the answer is lost, the front desk sends again, and the classes are credited twice
-- invariants: I2, I11
-- priority: P0
-- needs: retry
select pg_temp.change('public.credit_pilates_deposit', 'if v_answer is not null then', 'if false then');
