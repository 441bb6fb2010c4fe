-- id: key-without-operation
-- family: idempotency scope
-- symptom: a cancellation with the key of the booking is answered as the booking was, and not done
-- invariants: I1, I11
-- priority: P1
-- needs: retry
alter table public.idempotency_keys drop constraint idempotency_keys_pkey, add primary key (caller, key);
select pg_temp.change('studio.first_answer', 'and operation = p_operation and', 'and');
