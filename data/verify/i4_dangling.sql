-- id: I4-dangling
-- title: no booking without its member and class, no deposit without its member
-- needs: pilates_bookings.user_id
-- severity: P0
select 'booking/' || b.id || '/member' as key, 'booking ' || b.id || ': its member does not exist' as finding
from public.pilates_bookings b left join public.user_profiles u on u.user_id = b.user_id
where u.user_id is null
union all
select 'booking/' || b.id || '/class', 'booking ' || b.id || ': its class does not exist'
from public.pilates_bookings b left join public.pilates_schedule_slots s on s.id = b.slot_id
where s.id is null
union all
select 'deposit/' || d.id, 'deposit ' || d.id || ': its member does not exist'
from public.pilates_deposits d left join public.user_profiles u on u.user_id = d.user_id
where u.user_id is null
