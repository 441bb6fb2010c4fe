-- id: expire-whole-member
-- family: condition dropped
-- symptom: one deposit expires, and the member's other deposits are switched off with it
-- invariants: I9, I13
-- priority: P0
select pg_temp.change('public.check_and_expire_pilates_deposits',
  'is_active = false where id = v_deposit.id', 'is_active = false where user_id = v_deposit.user_id');
