-- id: key-without-caller
-- family: idempotency scope
-- symptom: two phones choose the same key: the second member is told "booked", and has no booking
-- invariants: I1, I11
-- priority: P0
-- needs: retry
-- reference: Stripe, API reference, "Idempotent requests": a key belongs to one account
alter table public.idempotency_keys drop constraint idempotency_keys_pkey, add primary key (operation, key);
select pg_temp.change('studio.first_answer', 'where caller = v_caller and operation', 'where operation');
select pg_temp.change('studio.first_answer',
  'if v_found.arguments <> p_arguments then', 'if v_found.arguments is null then');
