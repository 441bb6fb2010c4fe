-- id: bookings-hidden-from-staff
-- family: row-level policy too narrow
-- symptom: the front desk does not see who comes
-- invariants: I8
-- priority: P0
alter policy own_or_staff on public.pilates_bookings using (user_id = (select studio.caller()));
