-- Whether a class has begun is asked in UTC: for two or three hours a class that is over can be booked.
select pg_temp.change('public.book_pilates_class', 'public.starts_at(v_slot) <=',
  $q$(v_slot.date + v_slot.start_time) at time zone 'UTC' <=$q$);
