-- id: role-from-the-members-own-words
-- family: caller check dropped
-- symptom: a member writes into her own sign-up that she is an administrator, and the studio believes it
-- invariants: I16
-- priority: P0
create or replace function studio.caller_role() returns text language sql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
  select case
    when studio.claim('role') = 'service_role' then 'service'
    else coalesce(studio.claim('user_metadata')::jsonb ->> 'role',
                  (select p.role from public.user_profiles p where p.user_id = studio.caller()))
  end
$$;
