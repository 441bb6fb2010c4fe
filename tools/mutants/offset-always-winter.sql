-- id: offset-always-winter
-- family: time zone or date
-- symptom: from March to October a class that began half an hour ago can still be booked
-- invariants: I13
-- priority: P1
create or replace function studio.zone() returns text language sql immutable
  return 'UTC-2';
