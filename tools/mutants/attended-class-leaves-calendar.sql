-- id: attended-class-leaves-calendar
-- family: calendar event
-- symptom: a class that was attended is taken out of the calendar as if it had been cancelled
-- invariants: I10
-- priority: P1
select pg_temp.change('public.confirm_pilates_attendance', $$
    update public.pilates_bookings set status = 'completed' where id = p_booking_id;
$$, $$
    update public.pilates_bookings set status = 'completed' where id = p_booking_id;
    perform studio.tell_calendar('cancelled', v_booking);
$$);
