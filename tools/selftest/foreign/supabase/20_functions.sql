-- Who is at the front desk.
create function public.is_staff() returns boolean language sql stable security definer set search_path = ''
as $$
  select exists (select from public.user_profiles where user_id = auth.uid() and role in ('staff', 'admin'))
$$;

-- Refuses whoever is neither the member nor staff.
create function public.require_self_or_staff(p_user uuid) returns void language plpgsql stable set search_path = ''
as $$
begin
  if auth.uid() is null or (auth.uid() <> p_user and not public.is_staff()) then
    raise exception 'Not authorized' using errcode = '42501';
  end if;
end
$$;

create function public.starts_at(s public.pilates_schedule_slots) returns timestamptz language sql stable
as $$ select (s.date + s.start_time) at time zone 'Europe/Athens' $$;

create function public.book_pilates_class(p_user_id uuid, p_slot_id uuid, p_source text default 'app') returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
  v_slot       public.pilates_schedule_slots;
  v_deposit    public.pilates_deposits;
  v_membership uuid;
  v_booking    uuid;
begin
  perform public.require_self_or_staff(p_user_id);
  select * into v_slot from public.pilates_schedule_slots where id = p_slot_id for update;
  if not found then
    raise exception 'Class not found';
  end if;
  if not v_slot.is_active then
    raise exception 'Class is not available';
  end if;
  if public.starts_at(v_slot) <= clock_timestamp() then
    raise exception 'Class has already started';
  end if;
  if exists (select from public.pilates_bookings
             where user_id = p_user_id and slot_id = p_slot_id and status <> 'cancelled') then
    raise exception 'You have already booked this class';
  end if;
  if (select count(*) from public.pilates_bookings where slot_id = p_slot_id and status = 'booked')
     >= v_slot.max_capacity then
    raise exception 'Class is full';
  end if;
  select id into v_membership from public.memberships
  where user_id = p_user_id and state = 'active' and current_date between started_on and ends_on limit 1;
  if not found then
    raise exception 'No active membership';
  end if;
  select * into v_deposit from public.pilates_deposits
  where user_id = p_user_id and is_active and deposit_remaining > 0
    and (expires_at is null or expires_at > clock_timestamp())
  order by expires_at nulls last, created_at, id
  limit 1 for update;
  if not found then
    raise exception 'Insufficient classes on your account';
  end if;

  update public.pilates_deposits set deposit_remaining = deposit_remaining - 1 where id = v_deposit.id;
  insert into public.pilates_bookings (user_id, slot_id, membership_id, deposit_id, source)
  values (p_user_id, p_slot_id, v_membership, v_deposit.id, p_source)
  on conflict (user_id, slot_id) do update
    set status = 'booked', deposit_id = excluded.deposit_id, updated_at = clock_timestamp()
  returning id into v_booking;
  return jsonb_build_object('success', true, 'booking', jsonb_build_object('id', v_booking, 'status', 'booked'),
                            'classes_left', v_deposit.deposit_remaining - 1);
end
$$;

create function public.cancel_pilates_booking(p_booking_id uuid, p_user_id uuid default auth.uid()) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
  v_booking public.pilates_bookings;
  v_slot    public.pilates_schedule_slots;
begin
  perform public.require_self_or_staff(p_user_id);
  select s.* into v_slot from public.pilates_schedule_slots s
  join public.pilates_bookings b on b.slot_id = s.id where b.id = p_booking_id for update of s;
  select * into v_booking from public.pilates_bookings
  where id = p_booking_id and user_id = p_user_id for update;
  if not found then
    raise exception 'Booking not found';
  end if;
  if v_booking.status <> 'booked' then
    raise exception 'Booking cannot be cancelled, it is already %', v_booking.status;
  end if;
  if public.starts_at(v_slot) <= clock_timestamp() then
    raise exception 'Class has already started';
  end if;
  update public.pilates_bookings set status = 'cancelled', updated_at = clock_timestamp() where id = p_booking_id;
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = v_booking.deposit_id;
  return jsonb_build_object('success', true, 'refunded', 1);
end
$$;

create function public.admin_remove_pilates_booking(p_booking_id uuid, p_note text) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
  v_booking public.pilates_bookings;
begin
  if not public.is_staff() then
    raise exception 'Not authorized' using errcode = '42501';
  end if;
  perform from public.pilates_schedule_slots s
  join public.pilates_bookings b on b.slot_id = s.id where b.id = p_booking_id for update of s;
  select * into v_booking from public.pilates_bookings where id = p_booking_id for update;
  if not found then
    raise exception 'Booking not found';
  end if;
  if v_booking.status <> 'booked' then
    raise exception 'Booking cannot be cancelled, it is already %', v_booking.status;
  end if;
  update public.pilates_bookings set status = 'cancelled', updated_at = clock_timestamp() where id = p_booking_id;
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = v_booking.deposit_id;
  return jsonb_build_object('success', true, 'refunded', 1);
end
$$;

create function public.credit_pilates_deposit(p_user_id uuid, p_classes integer) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
  v_id uuid;
begin
  if not public.is_staff() then
    raise exception 'Not authorized' using errcode = '42501';
  end if;
  if p_classes <= 0 then
    raise exception 'Invalid number of classes';
  end if;
  insert into public.pilates_deposits (user_id, deposit_remaining) values (p_user_id, p_classes) returning id into v_id;
  return v_id;
end
$$;
