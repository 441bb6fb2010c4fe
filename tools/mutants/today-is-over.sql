-- id: today-is-over
-- family: time zone or date
-- symptom: a class of this evening cannot be booked: today counts as over
-- invariants: I13
-- priority: P1
create or replace function studio.has_started(p_date date, p_time time) returns boolean language sql stable
  return p_date <= (clock_timestamp() at time zone studio.zone())::date;
