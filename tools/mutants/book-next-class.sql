-- id: book-next-class
-- family: wrong row or trace
-- symptom: the member pays for one class and stands in another one
-- invariants: I1, I3
-- priority: P0
select pg_temp.change('public.book_pilates_class', $$
  values (p_user_id, p_slot_id, v_deposit.id)
$$, $$
  values (p_user_id, coalesce((select s.id from public.pilates_schedule_slots s
                               where (s.date, s.start_time) > (v_slot.date, v_slot.start_time)
                               order by s.date, s.start_time limit 1), p_slot_id), v_deposit.id)
$$);
