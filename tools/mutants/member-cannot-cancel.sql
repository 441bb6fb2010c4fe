-- id: member-cannot-cancel
-- family: caller check dropped
-- symptom: members cannot cancel by themselves any more
-- invariants: I13
-- priority: P1
select pg_temp.change('public.cancel_pilates_booking', $$
  perform studio.require_booking_permission(p_booking_id, p_user_id, 'secretary', 'admin');
$$, $$
  perform studio.require_staff('secretary', 'admin');
  perform studio.require_booking_permission(p_booking_id, p_user_id, 'secretary', 'admin');
$$);
