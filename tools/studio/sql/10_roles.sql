-- Who can come in. The gateway signs in as authenticator and takes on one of the first three per request.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      execute format('create role %I nologin', v_role);
    end if;
  end loop;
  if not exists (select from pg_roles where rolname = 'authenticator') then
    create role authenticator login noinherit;
  end if;
  if not exists (select from pg_roles where rolname = 'calendar_worker') then
    create role calendar_worker login;
  end if;
  alter role service_role bypassrls;
  grant anon, authenticated, service_role to authenticator;
end
$$;

create schema studio;
revoke all on schema studio from public;
grant usage on schema public to anon, authenticated, service_role;
