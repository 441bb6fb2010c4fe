-- id: bookings-written-by-members
-- family: row-level policy too wide
-- symptom: a member sets a booking to cancelled or back to confirmed, around the rules
-- invariants: I16
-- priority: P0
grant update on public.pilates_bookings to authenticated;
create policy own_change on public.pilates_bookings for update to authenticated
  using (user_id = (select studio.caller()));
