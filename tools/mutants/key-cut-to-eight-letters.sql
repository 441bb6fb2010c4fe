-- id: key-cut-to-eight-letters
-- family: idempotency scope
-- symptom: two requests with similar keys: the second is answered as the first was, and not done
-- invariants: I1, I11
-- priority: P0
-- needs: retry
select pg_temp.change('studio.first_answer',
  $$studio.header('idempotency-key')$$, $$left(studio.header('idempotency-key'), 8)$$);
select pg_temp.change('studio.first_answer',
  'if v_found.arguments <> p_arguments then', 'if v_found.arguments is null then');
create or replace function studio.keep_answer(p_operation text, p_answer jsonb) returns void language sql
as $$
  update public.idempotency_keys set answer = p_answer
  where caller = coalesce(studio.caller(), '00000000-0000-0000-0000-000000000000')
    and operation = p_operation and key = left(studio.header('idempotency-key'), 8)
$$;
