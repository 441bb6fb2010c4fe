-- The class is not locked while its bookings are counted: two members take the last place.
select pg_temp.change('public.book_pilates_class', $q$where id = p_slot_id for update;$q$, $q$where id = p_slot_id;$q$);
