-- id: cancel-strangers-booking
-- family: condition dropped
-- symptom: a member cancels the booking of somebody else
-- invariants: I13
-- priority: P0
select pg_temp.change('studio.require_booking_permission',
  'if v_owner is distinct from p_user_id then', 'if v_owner is null then');
