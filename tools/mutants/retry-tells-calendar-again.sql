-- id: retry-tells-calendar-again
-- family: retry repeats a side effect
-- symptom: the answer is lost, the app asks again: the booking stands twice in the calendar
-- invariants: I10
-- priority: P0
-- needs: retry
select pg_temp.change('public.book_pilates_class', $$
    booking_id := v_answer ->> 'booking_id';
$$, $$
    booking_id := v_answer ->> 'booking_id';
    select * into v_booking from public.pilates_bookings b where b.id = (v_answer ->> 'booking_id')::uuid;
    perform studio.tell_calendar('booked', v_booking);
$$);
