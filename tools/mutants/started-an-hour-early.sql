-- id: started-an-hour-early
-- family: comparison shifted
-- symptom: half an hour before the class it cannot be booked any more
-- invariants: I13
-- priority: P1
create or replace function studio.has_started(p_date date, p_time time) returns boolean language sql stable
  return studio.starts_at(p_date, p_time) - interval '1 hour' <= clock_timestamp();
