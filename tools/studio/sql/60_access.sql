-- Who sees and writes which rows. Deposits and bookings are written by the functions only.
grant usage on schema studio to anon, authenticated, service_role;
revoke execute on all functions in schema public from public;
revoke execute on all functions in schema studio from public;
grant execute on function studio.claim(text), studio.caller(), studio.caller_role(), studio.is_staff(),
  studio.zone(), studio.starts_at(date, time) to anon, authenticated, service_role;
grant execute on function
  public.book_pilates_class(uuid, uuid),
  public.cancel_pilates_booking(uuid, uuid),
  public.reschedule_pilates_booking(uuid, uuid, uuid),
  public.admin_remove_pilates_booking(uuid, text),
  public.confirm_pilates_attendance(uuid, uuid),
  public.credit_pilates_deposit(uuid, integer, timestamptz),
  public.check_and_expire_pilates_deposits()
  to authenticated, service_role;
grant usage on schema studio to calendar_worker;
grant execute on function
  studio.calendar_due(integer), studio.calendar_delivered(bigint[]), studio.calendar_failed(bigint, text)
  to calendar_worker;

alter table public.user_profiles enable row level security;
alter table public.pilates_schedule_slots enable row level security;
alter table public.pilates_deposits enable row level security;
alter table public.pilates_bookings enable row level security;
alter table public.pilates_audit_log enable row level security;
alter table public.pilates_calendar_outbox enable row level security;
alter table public.idempotency_keys enable row level security;

grant select on public.pilates_schedule_slots, public.pilates_slots_with_occupancy to anon, authenticated;
grant select on public.user_profiles, public.pilates_deposits, public.pilates_bookings, public.pilates_audit_log
  to authenticated;
grant insert, update on public.pilates_schedule_slots to authenticated;
grant select, insert, update, delete on public.user_profiles, public.pilates_schedule_slots,
  public.pilates_deposits, public.pilates_bookings to service_role;
grant select on public.pilates_slots_with_occupancy, public.pilates_audit_log, public.pilates_calendar_outbox
  to service_role;

create policy everyone_reads on public.pilates_schedule_slots for select to anon, authenticated using (true);
create policy managers_add on public.pilates_schedule_slots for insert to authenticated
  with check (studio.caller_role() in ('secretary', 'admin'));
create policy managers_change on public.pilates_schedule_slots for update to authenticated
  using (studio.caller_role() in ('secretary', 'admin'));
create policy own_or_staff on public.user_profiles for select to authenticated
  using (user_id = (select studio.caller()) or (select studio.is_staff()));
create policy own_or_staff on public.pilates_deposits for select to authenticated
  using (user_id = (select studio.caller()) or (select studio.is_staff()));
create policy own_or_staff on public.pilates_bookings for select to authenticated
  using (user_id = (select studio.caller()) or (select studio.is_staff()));
create policy admins_read on public.pilates_audit_log for select to authenticated
  using ((select studio.caller_role()) = 'admin');
