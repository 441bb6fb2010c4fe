-- id: cancel-for-anybody
-- family: caller check dropped
-- symptom: whoever knows the number of a booking cancels it
-- invariants: I16
-- priority: P0
select pg_temp.change('public.cancel_pilates_booking',
  $$perform studio.require_booking_permission(p_booking_id, p_user_id, 'secretary', 'admin');$$,
  'perform studio.require_booking(p_booking_id);');
