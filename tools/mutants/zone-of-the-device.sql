-- id: zone-of-the-device
-- family: time zone or date
-- symptom: a member in Tokyo cannot book this afternoon's class: for their phone it is over
-- invariants: I13
-- priority: P1
create or replace function studio.starts_at(p_date date, p_time time) returns timestamptz language sql stable
  return (p_date + p_time)::timestamptz;
