-- id: deposit-ends-early
-- family: time zone or date
-- symptom: a deposit is refused in its last hours: its end is compared with a clock ahead of it
-- invariants: I13
-- priority: P1
select pg_temp.change('public.book_pilates_class', 'd.expires_at > clock_timestamp()',
  $$d.expires_at at time zone 'UTC' > clock_timestamp() at time zone 'Asia/Dubai'$$);
