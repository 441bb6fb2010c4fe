-- id: calendar-not-told-by-front-desk
-- family: calendar event
-- symptom: what the front desk books never appears in the calendar
-- invariants: I10
-- priority: P0
select pg_temp.change('public.book_pilates_class', $$perform studio.tell_calendar('booked', v_booking);$$, $$
  if studio.caller() = p_user_id then
    perform studio.tell_calendar('booked', v_booking);
  end if;
$$);
