-- A booking that is given up already gives a class back once more.
select pg_temp.change('public.give_up', $q$    RETURN failed('This booking is not active');$q$, $q$    NULL;$q$);
