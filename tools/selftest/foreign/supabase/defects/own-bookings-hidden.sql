-- The policy compares with the wrong column: members do not see what they booked.
drop policy "Own bookings" on public.pilates_bookings;
create policy "Own bookings" on public.pilates_bookings for select to authenticated
  using (id = (select auth.uid()) or (select public.is_staff()));
