-- id: own-bookings-hidden
-- family: row-level policy too narrow
-- symptom: the member does not see the booking that the front desk sees
-- invariants: I8
-- priority: P0
alter policy own_or_staff on public.pilates_bookings using ((select studio.is_staff()));
