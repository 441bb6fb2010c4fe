-- id: zone-sign-turned
-- family: time zone or date
-- symptom: a class that is over can be booked for hours
-- invariants: I13
-- priority: P1
-- reference: PostgreSQL, "POSIX Time Zone Specifications": a positive sign is west of Greenwich
create or replace function studio.zone() returns text language sql immutable
  return 'UTC+2';
