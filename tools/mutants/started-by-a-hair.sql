-- id: started-by-a-hair
-- family: comparison shifted
-- symptom: none: the class would have to be booked in the very microsecond in which it starts
-- invariants: I13
-- priority: P1
-- equivalent: differs at one microsecond in time, which no test can choose
create or replace function studio.has_started(p_date date, p_time time) returns boolean language sql stable
  return studio.starts_at(p_date, p_time) < clock_timestamp();
