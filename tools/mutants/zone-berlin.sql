-- id: zone-berlin
-- family: time zone or date
-- symptom: a class that began half an hour ago can still be booked
-- invariants: I13
-- priority: P1
create or replace function studio.zone() returns text language sql immutable
  return 'Europe/Berlin';
