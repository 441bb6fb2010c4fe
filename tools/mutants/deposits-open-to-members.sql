-- id: deposits-open-to-members
-- family: row-level policy too wide
-- symptom: every member sees what the others have bought
-- invariants: I8
-- priority: P0
-- reference: CVE-2025-48757, generated apps on Supabase whose row-level policies let everybody read
alter table public.pilates_deposits disable row level security;
