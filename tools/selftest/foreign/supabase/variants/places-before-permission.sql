-- Right all the same: it looks at the class first, and then at who calls. A stranger may hear that it is full.
select pg_temp.change('public.book_pilates_class', 'perform public.require_self_or_staff(p_user_id);', '');
select pg_temp.change('public.book_pilates_class', 'select id into v_membership',
  'perform public.require_self_or_staff(p_user_id); select id into v_membership');
