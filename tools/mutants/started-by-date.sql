-- id: started-by-date
-- family: time zone or date
-- symptom: all day long a class of today can be booked and cancelled, also when it is over
-- invariants: I13
-- priority: P1
create or replace function studio.has_started(p_date date, p_time time) returns boolean language sql stable
  return p_date < (clock_timestamp() at time zone studio.zone())::date;
