-- Nobody looks whose booking it is.
select pg_temp.change('public.cancel_booking', $q$ AND user_id = auth.uid()$q$, '');
