-- id: I5-twice
-- title: a member has at most one confirmed booking of a class
-- needs: pilates_bookings.status
-- severity: P0
select
  user_id || '/' || slot_id as key,
  user_id::text as user_id,
  slot_id::text as slot_id,
  count(*) as booked,
  'booked ' || count(*) || ' times' as finding
from public.pilates_bookings where status::text in {confirmed}
group by user_id, slot_id having count(*) > 1
