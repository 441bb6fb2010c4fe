-- Two ways to write each rule: as it is often seen, and as it should be.

create table public.marker (n integer not null);
insert into public.marker values (0);

create function public.naive_cancel(p_booking uuid, p_deposit uuid) returns integer language plpgsql as $$
declare v_status text;
begin
  select status into v_status from public.pilates_bookings where id = p_booking;
  if v_status <> 'confirmed' then return 0; end if;
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = p_deposit;
  update public.pilates_bookings set status = 'cancelled' where id = p_booking;
  return 1;
end $$;
create function public.right_cancel(p_booking uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  perform from public.pilates_bookings where id = p_booking and status = 'confirmed' for update;
  if not found then return 0; end if;
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = p_deposit;
  update public.pilates_bookings set status = 'cancelled' where id = p_booking;
  return 1;
end $$;

create function public.naive_book(p_user uuid, p_slot uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  if (select count(*) from public.pilates_bookings where slot_id = p_slot and status = 'confirmed')
     >= (select max_capacity from public.pilates_schedule_slots where id = p_slot) then return 0; end if;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id) values (p_user, p_slot, p_deposit);
  return 1;
end $$;
create function public.right_book(p_user uuid, p_slot uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  perform from public.pilates_schedule_slots where id = p_slot for update;
  if (select count(*) from public.pilates_bookings where slot_id = p_slot and status = 'confirmed')
     >= (select max_capacity from public.pilates_schedule_slots where id = p_slot) then return 0; end if;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id) values (p_user, p_slot, p_deposit);
  return 1;
end $$;

create function public.naive_pay(p_user uuid, p_slot uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  update public.pilates_deposits set deposit_remaining = deposit_remaining - 1 where id = p_deposit;
  begin
    insert into public.pilates_bookings (user_id, slot_id, deposit_id) values (p_user, p_slot, p_deposit);
  exception when others then null;
  end;
  return 1;
end $$;
create function public.right_pay(p_user uuid, p_slot uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  update public.pilates_deposits set deposit_remaining = deposit_remaining - 1 where id = p_deposit;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id) values (p_user, p_slot, p_deposit);
  return 1;
end $$;

create function public.naive_credit(p_deposit uuid) returns integer language plpgsql as $$
declare v_left integer;
begin
  select deposit_remaining into v_left from public.pilates_deposits where id = p_deposit;
  update public.pilates_deposits set deposit_remaining = v_left + 1 where id = p_deposit;
  return 1;
end $$;
create function public.right_credit(p_deposit uuid) returns integer language plpgsql as $$
begin
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = p_deposit;
  return 1;
end $$;

create function public.one_way(p_deposit uuid, p_slot uuid) returns integer language plpgsql as $$
begin
  perform from public.pilates_deposits where id = p_deposit for update;
  update public.pilates_schedule_slots set is_active = is_active where id = p_slot;
  return 1;
end $$;
create function public.other_way(p_deposit uuid, p_slot uuid) returns integer language plpgsql as $$
begin
  perform from public.pilates_schedule_slots where id = p_slot for update;
  update public.pilates_deposits set is_active = is_active where id = p_deposit;
  return 1;
end $$;
