-- id: cancelled-bookings-open
-- family: row-level policy too wide
-- symptom: every member sees what the others have cancelled
-- invariants: I8
-- priority: P0
alter policy own_or_staff on public.pilates_bookings
  using (user_id = (select studio.caller()) or (select studio.is_staff()) or status = 'cancelled');
