-- id: key-forgotten-after-a-moment
-- family: idempotency scope
-- symptom: a request that is sent again a little later is worked on again
-- invariants: I11
-- priority: P0
-- needs: retry
select pg_temp.change('studio.first_answer', $$
  insert into public.idempotency_keys (caller, operation, key, arguments)
$$, $$
  delete from public.idempotency_keys where created_at < clock_timestamp() - interval '1 millisecond'
    and caller = v_caller and operation = p_operation and key = v_key;
  insert into public.idempotency_keys (caller, operation, key, arguments)
$$);
