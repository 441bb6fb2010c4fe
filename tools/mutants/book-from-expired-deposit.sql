-- id: book-from-expired-deposit
-- family: condition dropped
-- symptom: a deposit that has expired still pays
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class',
  '(d.expires_at is null or d.expires_at > clock_timestamp())', 'true');
