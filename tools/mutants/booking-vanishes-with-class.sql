-- id: booking-vanishes-with-class
-- family: trigger or cascade
-- symptom: a class is deleted with its bookings, and nobody gets anything back
-- invariants: I2
-- priority: P0
alter table public.pilates_bookings drop constraint pilates_bookings_slot_id_fkey,
  add constraint pilates_bookings_slot_id_fkey foreign key (slot_id)
    references public.pilates_schedule_slots on delete cascade;
