-- id: expire-takes-the-classes
-- family: amount wrong
-- symptom: when a deposit expires its classes are gone, also when it is prolonged afterwards
-- invariants: I2, I9
-- priority: P0
select pg_temp.change('public.check_and_expire_pilates_deposits',
  'set is_active = false where', 'set is_active = false, deposit_remaining = 0 where');
