-- The booking is read without a lock: of two cancellations at once both give a class back.
select pg_temp.change('public.cancel_pilates_booking',
$q$  where id = p_booking_id and user_id = p_user_id for update;$q$, $q$  where id = p_booking_id and user_id = p_user_id;$q$);
select pg_temp.change('public.cancel_pilates_booking', $q$ for update of s;$q$, $q$;$q$);
