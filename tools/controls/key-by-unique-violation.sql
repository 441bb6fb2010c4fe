-- id: key-by-unique-violation
-- family: control
-- why: a key that is there already is noticed by the error instead of "on conflict"
select pg_temp.change('studio.first_answer', $$
  insert into public.idempotency_keys (caller, operation, key, arguments)
  values (v_caller, p_operation, v_key, p_arguments)
  on conflict do nothing;
  if found then
    return null;
  end if;
$$, $$
  begin
    insert into public.idempotency_keys (caller, operation, key, arguments)
    values (v_caller, p_operation, v_key, p_arguments);
    return null;
  exception when unique_violation then
    null;
  end;
$$);
