-- "On delete cascade" was convenient: a class that is deleted takes its bookings along, and nobody gets a class back.
alter table public.pilates_bookings drop constraint pilates_bookings_slot_id_fkey,
  add constraint pilates_bookings_slot_id_fkey foreign key (slot_id)
    references public.pilates_schedule_slots on delete cascade;
