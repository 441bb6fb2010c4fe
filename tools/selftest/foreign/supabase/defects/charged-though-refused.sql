-- The deposit is charged first, and a refusal comes back as an answer: the charge stays.
select pg_temp.change('public.book_pilates_class', $q$    raise exception 'Class is full';$q$,
$q$    update public.pilates_deposits set deposit_remaining = deposit_remaining - 1
    where id = (select id from public.pilates_deposits where user_id = p_user_id and deposit_remaining > 0 limit 1);
    return jsonb_build_object('success', false, 'error', 'Class is full');$q$);
