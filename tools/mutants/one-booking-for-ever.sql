-- id: one-booking-for-ever
-- family: trigger or cascade
-- symptom: whoever has cancelled a class can never book it again
-- invariants: I13
-- priority: P1
drop index public.pilates_bookings_stands_once;
create unique index pilates_bookings_stands_once on public.pilates_bookings (user_id, slot_id);
