-- id: members-make-themselves-staff
-- family: row-level policy too wide
-- symptom: a member changes the role in her own profile
-- invariants: I16
-- priority: P0
grant update on public.user_profiles to authenticated;
create policy own_change on public.user_profiles for update to authenticated
  using (user_id = (select studio.caller()));
