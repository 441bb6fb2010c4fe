-- A row that is revived keeps the deposit that paid the first time: the class goes back to the wrong one.
select pg_temp.change('public.book_pilates_class', $q$, deposit_id = excluded.deposit_id$q$, '');
