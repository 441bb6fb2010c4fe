-- Nobody asks whether the deposit has expired.
select pg_temp.change('public.book_pilates_class', 'and (expires_at is null or expires_at > clock_timestamp())', '');
