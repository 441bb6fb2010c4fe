-- id: expire-without-audit
-- family: statement deleted
-- symptom: a member's deposit was switched off, and no entry says when
-- invariants: I9
-- priority: P1
select pg_temp.change('public.check_and_expire_pilates_deposits', $$
    perform studio.audit('expire', v_deposit.user_id, null, null, v_deposit.id,
      jsonb_build_object('deposit_remaining', v_deposit.deposit_remaining, 'is_active', true),
      jsonb_build_object('deposit_remaining', v_deposit.deposit_remaining, 'is_active', false));
$$, '');
