-- The suite's instruments in a target's database: fault points at which a planned call waits, fails or is killed.
--
-- Everything lives in the schema "acceptance" and goes with it: drop schema acceptance cascade. A call is planned for
-- when it carries the header X-Fault-Plan (a direct connection: application_name "acceptance/<trace>/<actor>"); for
-- any other the triggers' WHEN is one comparison of text.
--
-- They are *statement* triggers: a row trigger fires after its row is locked, too late to let somebody else go first.

create schema acceptance;

-- The stops of the planned calls, in the order in which an actor meets them. A row stands from when its gate is shut
-- until its caller is let through; the key of the gate is the row's id.
create unlogged table acceptance.plan (
  id         integer generated always as identity (cycle) primary key,
  trace      text not null,
  actor      text not null,
  point      text not null,
  action     text not null default 'wait' check (action in ('wait', 'raise', 'kill', 'delay')),
  argument   text,
  observer   integer not null default pg_backend_pid(),
  planned_at timestamptz not null default clock_timestamp()
);
create index on acceptance.plan (trace, actor, id);

-- Wait at the gate of the actor's next stop, if this is the place, and do what is planned there.
create function acceptance.reach() returns trigger language plpgsql
  security definer set search_path = pg_catalog, acceptance, pg_temp
as $$
declare
  v_point   text := tg_argv[0];
  v_headers jsonb := nullif(current_setting('request.headers', true), '');
  v_name    text[] := string_to_array(current_setting('application_name'), '/');
  v_trace   text := coalesce(v_headers ->> 'x-trace-id', v_name[2]);
  v_actor   text := coalesce(v_headers ->> 'x-actor', v_name[3]);
  v_stop    acceptance.plan;
begin
  if v_point <> 'commit' then
    v_point := v_point || '.' || lower(tg_op);
    if tg_when = 'AFTER' then
      v_point := v_point || case when v_point like '%e' then 'd' else 'ed' end;
    end if;
  end if;
  select * into v_stop from acceptance.plan where trace = v_trace and actor = v_actor order by id limit 1;
  if v_stop.point = v_point
     or v_stop.point = 'first change' and tg_when = 'BEFORE' and tg_argv[0] in ('deposit', 'booking', 'slot') then
    -- An open gate is none: its caller went through already, or whoever held it is gone.
    if not pg_try_advisory_xact_lock_shared({gates}, v_stop.id) then
      perform pg_advisory_xact_lock_shared({gates}, v_stop.id);
      -- Whoever opens a gate strikes its stop out first. A stop that is still there lost its observer: go on unharmed.
      -- (A transaction with one snapshot would see it for ever; it has to look for the observer instead.)
      if current_setting('transaction_isolation') = 'read committed'
           and exists (select from acceptance.plan where id = v_stop.id)
         or current_setting('transaction_isolation') <> 'read committed'
           and not exists (select from pg_stat_get_activity(v_stop.observer)) then
        return null;
      end if;
      if v_stop.action = 'raise' then
        raise exception using errcode = v_stop.argument, message = 'injected by the acceptance suite at ' || v_point;
      elsif v_stop.action = 'kill' then
        perform pg_terminate_backend(pg_backend_pid());
        perform pg_sleep(10);  -- the signal ends it here
      elsif v_stop.action = 'delay' then
        perform pg_sleep(v_stop.argument::float / 1000);
      end if;
    end if;
  end if;
  return null;
end
$$;

-- Put the fault points on a table. One table a transaction: whoever locks two could meet a call that locks them in
-- another order, and PostgreSQL would end one of the two.
create function acceptance.watch(v_table text, v_word text) returns void language plpgsql
as $$
declare
  v_planned constant text := $when$when (current_setting('request.headers', true) like '%"x-fault-plan"%'
                                      or current_setting('application_name') like 'acceptance/%')$when$;
begin
  execute format('create trigger acceptance_before before insert or update or delete on public.%I
                  for each statement %s execute function acceptance.reach(%L)', v_table, v_planned, v_word);
  execute format('create trigger acceptance_after after insert or update or delete on public.%I
                  for each statement %s execute function acceptance.reach(%L)', v_table, v_planned, v_word);
  if v_word in ('deposit', 'booking', 'slot') then
    execute format('create constraint trigger acceptance_commit after insert or update or delete on public.%I
                    deferrable initially deferred for each row %s execute function acceptance.reach(%L)',
                   v_table, v_planned, 'commit');
  end if;
end
$$;
