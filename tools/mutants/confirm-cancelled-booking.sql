-- id: confirm-cancelled-booking
-- family: condition dropped
-- symptom: a cancelled booking is ticked off: attended, and the class is back
-- invariants: I2, I13
-- priority: P0
select pg_temp.change('public.confirm_pilates_attendance',
  $$if v_booking.status not in ('confirmed', 'completed') then$$, 'if false then');
select pg_temp.change('public.confirm_pilates_attendance',
  $$if v_booking.status = 'confirmed' then$$, $$if v_booking.status <> 'completed' then$$);
