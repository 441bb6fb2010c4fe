-- id: book-in-callers-name
-- family: wrong row or trace
-- symptom: the front desk books for a member: the member pays, and the front desk stands in the class
-- invariants: I1, I2, I8
-- priority: P0
-- reference: the bug of the user who asked for this suite, when somebody else taps
select pg_temp.change('public.book_pilates_class', $$
  values (p_user_id, p_slot_id, v_deposit.id)
$$, $$
  values (coalesce(studio.caller(), p_user_id), p_slot_id, v_deposit.id)
$$);
