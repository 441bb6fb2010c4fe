-- id: credit-without-audit
-- family: statement deleted
-- symptom: classes were sold, and no entry says by whom
-- invariants: I9
-- priority: P1
select pg_temp.change('public.credit_pilates_deposit', $$
  perform studio.audit('credit', p_user_id, null, null, deposit_id,
    jsonb_build_object('deposit_remaining', 0), jsonb_build_object('deposit_remaining', deposit_remaining));
$$, '');
