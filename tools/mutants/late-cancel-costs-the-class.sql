-- id: late-cancel-costs-the-class
-- family: rule smuggled in
-- symptom: a class that begins within a day is cancelled: the app says "given back", and it is not
-- invariants: I2, I7
-- priority: P0
select pg_temp.change('studio.give_back',
  'set deposit_remaining = deposit_remaining + 1 where id', $$set deposit_remaining = deposit_remaining
    + case when studio.starts_at(v_slot.date, v_slot.start_time) < now() + interval '1 day' then 0 else 1 end
  where id$$);
