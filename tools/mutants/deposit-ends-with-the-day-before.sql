-- id: deposit-ends-with-the-day-before
-- family: time zone or date
-- symptom: on the last day of a deposit it does not pay any more
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class', 'd.expires_at > clock_timestamp()',
  $$(d.expires_at at time zone studio.zone())::date > (clock_timestamp() at time zone studio.zone())::date$$);
