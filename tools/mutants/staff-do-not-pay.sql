-- id: staff-do-not-pay
-- family: rule smuggled in
-- symptom: what the front desk books for a member is not taken off the deposit
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('public.book_pilates_class', 'set deposit_remaining = d.deposit_remaining - 1',
  'set deposit_remaining = d.deposit_remaining - case when studio.is_staff() then 0 else 1 end');
