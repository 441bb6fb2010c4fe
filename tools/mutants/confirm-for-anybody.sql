-- id: confirm-for-anybody
-- family: caller check dropped
-- symptom: a stranger ticks a member off, and the class is used up
-- invariants: I16
-- priority: P0
select pg_temp.change('public.confirm_pilates_attendance',
  $$perform studio.require_booking_permission(p_booking_id, p_user_id, 'trainer', 'secretary', 'admin');$$,
  'perform studio.require_booking(p_booking_id);');
