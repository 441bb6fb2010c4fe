-- id: one-class-a-day
-- family: rule smuggled in
-- symptom: a second class on the same day is refused
-- invariants: I13
-- priority: P1
select pg_temp.change('studio.require_place', 'if not p_slot.is_active then', $$if exists (
       select from public.pilates_bookings b join public.pilates_schedule_slots s on s.id = b.slot_id
       where b.user_id = p_user_id and b.status = 'confirmed' and s.date = p_slot.date and s.id <> p_slot.id) then
    perform studio.refuse(409, 'already booked', 'One class a day.');
  end if;
  if not p_slot.is_active then$$);
