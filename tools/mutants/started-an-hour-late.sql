-- id: started-an-hour-late
-- family: comparison shifted
-- symptom: a class that began half an hour ago can still be booked and cancelled
-- invariants: I13
-- priority: P1
create or replace function studio.has_started(p_date date, p_time time) returns boolean language sql stable
  return studio.starts_at(p_date, p_time) + interval '1 hour' <= clock_timestamp();
