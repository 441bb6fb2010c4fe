-- A class that gets fewer places loses the bookings above them, and nobody gets anything back.
create function public.keep_to_places() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  delete from public.pilates_bookings where id in (
    select id from public.pilates_bookings where slot_id = new.id and status = 'booked'
    order by created_at offset new.max_capacity);
  return new;
end
$$;
create trigger keep_to_places after update of max_capacity on public.pilates_schedule_slots
  for each row execute function public.keep_to_places();
