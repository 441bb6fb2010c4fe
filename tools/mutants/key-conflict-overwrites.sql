-- id: key-conflict-overwrites
-- family: conflict clause changed
-- symptom: a request that is sent again is worked on again
-- invariants: I11
-- priority: P0
-- needs: retry
select pg_temp.change('studio.first_answer', 'on conflict do nothing', $$on conflict (caller, operation, key)
  do update set arguments = excluded.arguments, answer = null$$);
