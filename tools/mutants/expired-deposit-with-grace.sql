-- id: expired-deposit-with-grace
-- family: comparison shifted
-- symptom: a deposit that expired the day before yesterday still pays
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class',
  'd.expires_at > clock_timestamp()', $$d.expires_at > clock_timestamp() - interval '3 days'$$);
