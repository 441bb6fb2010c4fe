-- id: key-arguments-not-compared
-- family: idempotency scope
-- symptom: a key is used again for another class: the app says "booked", and no booking stands
-- invariants: I1, I11
-- priority: P0
-- needs: retry
-- reference: Stripe, API reference, "Idempotent requests": parameters are compared with the original request's
select pg_temp.change('studio.first_answer',
  'if v_found.arguments <> p_arguments then', 'if v_found.arguments is null then');
