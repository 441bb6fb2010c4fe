-- id: expired-by-trigger
-- family: control
-- why: a deposit that is written after its end is switched off by a trigger at once
create function studio.switch_off() returns trigger language plpgsql
as $$
begin
  if new.expires_at <= clock_timestamp() then
    new.is_active := false;
  end if;
  return new;
end
$$;
create trigger switch_off before insert or update on public.pilates_deposits
  for each row execute function studio.switch_off();
