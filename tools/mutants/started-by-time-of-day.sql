-- id: started-by-time-of-day
-- family: time zone or date
-- symptom: tomorrow's class just after midnight counts as over
-- invariants: I13
-- priority: P1
create or replace function studio.has_started(p_date date, p_time time) returns boolean language sql stable
  return p_time <= (clock_timestamp() at time zone studio.zone())::time;
