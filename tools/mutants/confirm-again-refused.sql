-- id: confirm-again-refused
-- family: early idempotent return removed
-- symptom: ticking a member off twice shows an error
-- invariants: I13
-- priority: P1
select pg_temp.change('public.confirm_pilates_attendance',
  $$if v_booking.status not in ('confirmed', 'completed') then$$, $$if v_booking.status <> 'confirmed' then$$);
