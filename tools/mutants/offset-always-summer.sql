-- id: offset-always-summer
-- family: time zone or date
-- symptom: from October to March a class cannot be booked any more in the hour before it starts
-- invariants: I13
-- priority: P1
create or replace function studio.zone() returns text language sql immutable
  return 'UTC-3';
