-- id: cancelled-bookings-hidden
-- family: row-level policy too narrow
-- symptom: the member does not see that a booking was cancelled: it has just disappeared
-- invariants: I8
-- priority: P1
alter policy own_or_staff on public.pilates_bookings
  using ((user_id = (select studio.caller()) and status <> 'cancelled') or (select studio.is_staff()));
