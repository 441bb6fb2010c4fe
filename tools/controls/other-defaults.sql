-- id: other-defaults
-- family: control
-- why: ids and numbers of another make: smaller integers, ids from another generator, audit ids in steps of ten
alter table public.pilates_deposits alter column deposit_remaining type smallint;
alter table public.pilates_bookings alter column id set default md5(random()::text || clock_timestamp()::text)::uuid;
alter table public.pilates_audit_log alter column id set increment by 10;
alter table public.pilates_calendar_outbox alter column id set increment by 10;
