-- id: policies-by-role
-- family: control
-- why: one policy for the member's own rows and another one for the staff's
drop policy own_or_staff on public.pilates_bookings;
drop policy own_or_staff on public.pilates_deposits;
create policy own_rows on public.pilates_bookings for select to authenticated
  using (user_id = nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid);
create policy staff_rows on public.pilates_bookings for select to authenticated using (studio.is_staff());
create policy own_rows on public.pilates_deposits for select to authenticated
  using (exists (select from public.user_profiles p
                 where p.user_id = pilates_deposits.user_id and p.user_id = studio.caller()));
create policy staff_rows on public.pilates_deposits for select to authenticated
  using (coalesce(studio.caller_role() in ('trainer', 'secretary', 'admin'), false));
