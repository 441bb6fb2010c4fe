-- id: book-without-calendar
-- family: statement deleted
-- symptom: the class is paid for, and the studio's calendar never hears of the booking
-- invariants: I10
-- priority: P0
-- reference: the bug of the user who asked for this suite, one step later
select pg_temp.change('public.book_pilates_class', $$perform studio.tell_calendar('booked', v_booking);$$, '');
