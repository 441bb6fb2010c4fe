-- id: cancelled-booking-deleted
-- family: trigger or cascade
-- symptom: a cancelled booking disappears, and nobody can say that it ever stood
-- invariants: I1, I9
-- priority: P0
select pg_temp.change('studio.give_back',
  $$update public.pilates_bookings set status = 'cancelled' where id = p_booking_id;$$,
  'delete from public.pilates_bookings where id = p_booking_id;');
