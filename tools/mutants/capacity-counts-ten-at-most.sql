-- id: capacity-counts-ten-at-most
-- family: view or counter
-- symptom: a big class never gets full: more members than places
-- invariants: I3, I13
-- priority: P0
select pg_temp.change('studio.require_place', $$(select count(*) from public.pilates_bookings
      where slot_id = p_slot.id and status = 'confirmed')$$, $$(select count(*) from (
      select from public.pilates_bookings where slot_id = p_slot.id and status = 'confirmed' limit 10) as found)$$);
