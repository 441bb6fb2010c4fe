-- id: deposit-checked-first
-- family: control
-- why: who has no classes left hears that before the class is full, over, or called off
select pg_temp.change('public.book_pilates_class', 'perform studio.require_place(p_user_id, v_slot);', $$
  if v_slot.id is null then
    perform studio.refuse(404, 'class not found', 'Choose a class from the schedule.');
  end if;
$$);
select pg_temp.change('public.book_pilates_class', $$
    perform studio.refuse(402, 'no classes left', 'Buy classes first.');
  end if;
$$, $$
    perform studio.refuse(402, 'no classes left', 'Buy classes first.');
  end if;
  perform studio.require_place(p_user_id, v_slot);
$$);
