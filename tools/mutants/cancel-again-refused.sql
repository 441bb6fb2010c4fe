-- id: cancel-again-refused
-- family: early idempotent return removed
-- symptom: cancelling a cancelled booking once more shows an error
-- invariants: I13
-- priority: P1
select pg_temp.change('studio.give_back', $$if v_booking.status = 'cancelled' then
    return 0;$$, $$if false then
    return 0;$$);
