-- What the studio keeps.

create table public.user_profiles (
  user_id   uuid primary key,
  email     text not null unique,
  full_name text,
  role      text not null default 'user' check (role in ('user', 'trainer', 'secretary', 'admin'))
);

-- Dates and times are the studio's own; studio.starts_at() turns them into an instant.
create table public.pilates_schedule_slots (
  id           uuid primary key default gen_random_uuid(),
  date         date not null,
  start_time   time not null,
  end_time     time not null,
  max_capacity integer not null check (max_capacity >= 0),
  is_active    boolean not null default true,
  unique (date, start_time)
);

-- Classes a member has paid for: one row per purchase.
create table public.pilates_deposits (
  id                uuid primary key default gen_random_uuid(),
  user_id           uuid not null references public.user_profiles,
  classes_credited  integer not null check (classes_credited >= 0),
  deposit_remaining integer not null check (deposit_remaining >= 0),
  is_active         boolean not null default true,
  credited_at       timestamptz not null default now(),
  expires_at        timestamptz
);
create index on public.pilates_deposits (user_id);

-- A booking remembers the deposit it was paid from: a cancelled class goes back to that one.
create table public.pilates_bookings (
  id         uuid primary key default gen_random_uuid(),
  user_id    uuid not null references public.user_profiles,
  slot_id    uuid not null references public.pilates_schedule_slots,
  deposit_id uuid not null references public.pilates_deposits,
  status     text not null default 'confirmed' check (status in ('confirmed', 'cancelled', 'completed', 'no_show')),
  created_at timestamptz not null default now()
);
create unique index pilates_bookings_stands_once on public.pilates_bookings (user_id, slot_id)
  where status = 'confirmed';
create index on public.pilates_bookings (slot_id);
create index on public.pilates_bookings (deposit_id);

-- One entry per change, written in the change's own transaction and never touched again.
create table public.pilates_audit_log (
  id          bigint generated always as identity primary key,
  at          timestamptz not null default clock_timestamp(),
  trace_id    text,
  test_id     text,
  actor       text,
  caller      uuid,
  caller_role text not null,
  operation   text not null,
  user_id     uuid,
  booking_id  uuid,
  slot_id     uuid,
  deposit_id  uuid,
  before      jsonb not null,
  after       jsonb not null
);
create index on public.pilates_audit_log (user_id);
create index on public.pilates_audit_log (trace_id);

-- What the calendar must be told, in order; a worker delivers it.
create table public.pilates_calendar_outbox (
  id              bigint generated always as identity primary key,
  booking_id      uuid not null,
  user_id         uuid not null,
  slot_id         uuid not null,
  event           text not null check (event in ('booked', 'moved', 'cancelled')),
  trace_id        text,
  created_at      timestamptz not null default clock_timestamp(),
  attempts        integer not null default 0,
  -- A moment later: who changes their mind at once costs the calendar nothing.
  next_attempt_at timestamptz not null default clock_timestamp() + interval '0.3 seconds',
  delivered_at    timestamptz,
  last_error      text
);
create index on public.pilates_calendar_outbox (booking_id);
create index on public.pilates_calendar_outbox (id) where delivered_at is null;
create index on public.pilates_calendar_outbox (booking_id, id) where delivered_at is null;

-- The first accepted answer to each request that carried an Idempotency-Key.
create table public.idempotency_keys (
  caller     uuid not null,
  operation  text not null,
  key        text not null,
  arguments  jsonb not null,
  answer     jsonb,
  created_at timestamptz not null default now(),
  primary key (caller, operation, key)
);
