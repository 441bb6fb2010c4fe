-- id: bookings-open-to-members
-- family: row-level policy too wide
-- symptom: every member sees who else goes to which class
-- invariants: I8
-- priority: P0
-- reference: CVE-2025-48757, generated apps on Supabase whose row-level policies let everybody read
alter policy own_or_staff on public.pilates_bookings using (true);
