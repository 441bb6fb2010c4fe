-- Members may change their own profile, and their role is a column of it.
create policy "Own profile changes" on public.user_profiles for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
