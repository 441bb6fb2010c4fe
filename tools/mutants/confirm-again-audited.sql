-- id: confirm-again-audited
-- family: early idempotent return removed
-- symptom: ticking a member off twice is written down twice
-- invariants: I9
-- priority: P1
select pg_temp.change('public.confirm_pilates_attendance',
  $$if v_booking.status = 'confirmed' then$$, $$if v_booking.status in ('confirmed', 'completed') then$$);
