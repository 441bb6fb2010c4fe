alter table public.plans enable row level security;
alter table public.user_profiles enable row level security;
alter table public.memberships enable row level security;
alter table public.pilates_schedule_slots enable row level security;
alter table public.pilates_deposits enable row level security;
alter table public.pilates_bookings enable row level security;

create policy "Everyone sees the schedule" on public.pilates_schedule_slots for select using (true);
create policy "Own profile" on public.user_profiles for select to authenticated
  using (user_id = (select auth.uid()) or (select public.is_staff()));
create policy "Own deposits" on public.pilates_deposits for select to authenticated
  using (user_id = (select auth.uid()) or (select public.is_staff()));
create policy "Own bookings" on public.pilates_bookings for select to authenticated
  using (user_id = (select auth.uid()) or (select public.is_staff()));
create policy "Own membership" on public.memberships for select to authenticated
  using (user_id = (select auth.uid()));

-- A view that PostgreSQL can write through does so with its owner's rights, around the policies of the table below.
revoke insert, update, delete on public.pilates_slots_with_occupancy from anon, authenticated;

revoke execute on all functions in schema public from public, anon;
