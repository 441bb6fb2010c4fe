-- id: bookings-deleted-by-members
-- family: row-level policy too wide
-- symptom: a member deletes a booking, and the class is lost
-- invariants: I16
-- priority: P0
grant delete on public.pilates_bookings to authenticated;
create policy own_removal on public.pilates_bookings for delete to authenticated
  using (user_id = (select studio.caller()));
