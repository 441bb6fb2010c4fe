-- id: more-columns
-- family: control
-- why: the studio keeps more than the contract asks for, with defaults and a trigger of its own
alter table public.user_profiles add column phone text, add column created_at timestamptz not null default now();
alter table public.pilates_schedule_slots add column room text not null default 'large', add column trainer_id uuid;
alter table public.pilates_deposits add column price numeric(8, 2), add column note text not null default '';
alter table public.pilates_bookings add column cancelled_at timestamptz, add column source text not null default 'app';
create function studio.note_cancellation() returns trigger language plpgsql
as $$
begin
  new.cancelled_at := case when new.status = 'cancelled' then clock_timestamp() end;
  return new;
end
$$;
create trigger note_cancellation before update of status on public.pilates_bookings
  for each row execute function studio.note_cancellation();
