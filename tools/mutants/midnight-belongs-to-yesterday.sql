-- id: midnight-belongs-to-yesterday
-- family: time zone or date
-- symptom: a class in the first hour of tomorrow counts as over
-- invariants: I13
-- priority: P1
create or replace function studio.starts_at(p_date date, p_time time) returns timestamptz language sql immutable
  return ((case when p_time < '01:00' then p_date - 1 else p_date end) + p_time) at time zone studio.zone();
