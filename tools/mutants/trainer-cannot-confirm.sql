-- id: trainer-cannot-confirm
-- family: caller check dropped
-- symptom: the trainer cannot tick members off
-- invariants: I13
-- priority: P1
select pg_temp.change('public.confirm_pilates_attendance',
  $$p_user_id, 'trainer', 'secretary'$$, $$p_user_id, 'secretary'$$);
