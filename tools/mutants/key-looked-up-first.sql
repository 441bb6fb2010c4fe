-- id: key-looked-up-first
-- family: lost update
-- symptom: the phone sends one request twice at once: the front desk credits the classes twice
-- invariants: I11, I13
-- priority: P0
-- race: yes
-- needs: retry
create or replace function studio.first_answer(p_operation text, p_arguments jsonb) returns jsonb language plpgsql
as $$
declare
  v_key    text := studio.header('idempotency-key');
  v_caller uuid := coalesce(studio.caller(), '00000000-0000-0000-0000-000000000000');
  v_found  public.idempotency_keys;
begin
  if v_key is null then
    return null;
  end if;
  select * into v_found from public.idempotency_keys
  where caller = v_caller and operation = p_operation and key = v_key;
  if not found then
    insert into public.idempotency_keys (caller, operation, key, arguments)
    values (v_caller, p_operation, v_key, p_arguments)
    on conflict do nothing;
    return null;
  end if;
  if v_found.arguments <> p_arguments then
    perform studio.refuse(422, 'invalid request: this idempotency key belongs to another request',
                          'Use a new key for a new request.');
  end if;
  return v_found.answer;
end
$$;
