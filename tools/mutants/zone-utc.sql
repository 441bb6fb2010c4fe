-- id: zone-utc
-- family: time zone or date
-- symptom: classes begin two or three hours late for the studio: one that is over can be booked
-- invariants: I13
-- priority: P1
create or replace function studio.zone() returns text language sql immutable
  return 'UTC';
