-- What stands in a Supabase project before anything of its owner's: the roles with their stock grants, the schemas
-- auth, storage and extensions, and stand-ins for what the embedded PostgreSQL has no extension for.

do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role', 'supabase_admin', 'supabase_auth_admin',
                                'supabase_storage_admin', 'supabase_realtime_admin', 'supabase_read_only_user',
                                'supabase_replication_admin', 'dashboard_user', 'pgbouncer', 'pgsodium_keyiduser'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      execute format('create role %I nologin', v_role);
    end if;
  end loop;
  if not exists (select from pg_roles where rolname = 'authenticator') then
    create role authenticator login noinherit;
  end if;
  alter role service_role bypassrls;
  grant anon, authenticated, service_role to authenticator;
end
$$;

create schema extensions;
create schema auth;
create schema storage;
create schema realtime;
create schema graphql_public;
create schema vault;

grant usage on schema public, extensions, auth, storage to postgres, anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to postgres, anon, authenticated, service_role;

-- Names are looked up as in a project of theirs.
do $$ begin
  execute format('alter database %I set search_path = "$user", public, extensions', current_database());
end $$;
set search_path = "$user", public, extensions;

-- auth: the columns of GoTrue's table that people's SQL uses.
create table auth.users (
  instance_id          uuid,
  id                   uuid primary key,
  aud                  varchar(255),
  role                 varchar(255),
  email                varchar(255),
  encrypted_password   varchar(255),
  email_confirmed_at   timestamptz,
  invited_at           timestamptz,
  confirmation_token   varchar(255),
  recovery_token       varchar(255),
  last_sign_in_at      timestamptz,
  raw_app_meta_data    jsonb,
  raw_user_meta_data   jsonb,
  is_super_admin       boolean,
  created_at           timestamptz default now(),
  updated_at           timestamptz default now(),
  phone                text unique,
  phone_confirmed_at   timestamptz,
  confirmed_at         timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
  banned_until         timestamptz,
  is_sso_user          boolean not null default false,
  deleted_at           timestamptz,
  is_anonymous         boolean not null default false
);
create unique index users_email_partial_key on auth.users (email) where is_sso_user = false;
grant select on auth.users to service_role;

create function auth.jwt() returns jsonb language sql stable
as $$
  select coalesce(nullif(current_setting('request.jwt.claim', true), ''),
                  nullif(current_setting('request.jwt.claims', true), ''))::jsonb
$$;
create function auth.uid() returns uuid language sql stable
as $$
  select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid
$$;
create function auth.role() returns text language sql stable
as $$
  select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
$$;
create function auth.email() returns text language sql stable
as $$
  select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
$$;

create table storage.buckets (
  id         text primary key,
  name       text not null unique,
  owner      uuid,
  public     boolean default false,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table storage.objects (
  id         uuid primary key default gen_random_uuid(),
  bucket_id  text references storage.buckets,
  name       text,
  owner      uuid,
  metadata   jsonb,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
create function storage.foldername(name text) returns text[] language sql immutable
as $$ select (string_to_array(name, '/'))[1 : array_length(string_to_array(name, '/'), 1) - 1] $$;

create publication supabase_realtime;

-- uuid-ossp and pgcrypto. What cannot be had without OpenSSL says so when it is called.
create function extensions.uuid_generate_v4() returns uuid language sql volatile as $$ select gen_random_uuid() $$;
create function extensions.uuid_nil() returns uuid language sql immutable
as $$ select '00000000-0000-0000-0000-000000000000'::uuid $$;
create function extensions.gen_random_uuid() returns uuid language sql volatile
as $$ select pg_catalog.gen_random_uuid() $$;
create function extensions.gen_random_bytes(count integer) returns bytea language sql volatile
as $$
  select substr(string_agg(uuid_send(pg_catalog.gen_random_uuid()), ''::bytea), 1, count)
  from generate_series(1, (count + 15) / 16)
$$;
create function extensions.digest(data bytea, type text) returns bytea language plpgsql immutable
as $$
begin
  return case lower(type)
    when 'md5' then decode(md5(data), 'hex')
    when 'sha224' then sha224(data)
    when 'sha256' then sha256(data)
    when 'sha384' then sha384(data)
    when 'sha512' then sha512(data)
  end;
end
$$;
create function extensions.digest(data text, type text) returns bytea language sql immutable
as $$ select extensions.digest(convert_to(data, 'UTF8'), type) $$;
create function extensions.hmac(data bytea, key bytea, type text) returns bytea language plpgsql immutable
as $$
declare
  v_block integer := case when lower(type) in ('sha384', 'sha512') then 128 else 64 end;
  v_key   bytea := case when length(key) > v_block then extensions.digest(key, type) else key end;
  v_inner bytea;
  v_outer bytea;
begin
  v_key := v_key || decode(repeat('00', v_block - length(v_key)), 'hex');
  v_inner := v_key;
  v_outer := v_key;
  for n in 0 .. v_block - 1 loop
    v_inner := set_byte(v_inner, n, get_byte(v_key, n) # 54);
    v_outer := set_byte(v_outer, n, get_byte(v_key, n) # 92);
  end loop;
  return extensions.digest(v_outer || extensions.digest(v_inner || data, type), type);
end
$$;
create function extensions.hmac(data text, key text, type text) returns bytea language sql immutable
as $$ select extensions.hmac(convert_to(data, 'UTF8'), convert_to(key, 'UTF8'), type) $$;
-- For files of seeds: a password compares with what was made of it here, and nothing is protected.
create function extensions.gen_salt(type text) returns text language sql
as $$ select '$not-for-production$' $$;
create function extensions.gen_salt(type text, iter_count integer) returns text language sql
as $$ select '$not-for-production$' $$;
create function extensions.crypt(password text, salt text) returns text language sql immutable
as $$ select '$not-for-production$' || md5(password) $$;

-- What the files that are applied asked for and do not have; `doctor` tells it.
create table extensions.stood_in_for (
  name text primary key,
  how  text not null
);
grant execute on all functions in schema auth, extensions, storage to public;
