"""The ground on which overlays are tried: one database, from which each is taken back."""

from __future__ import annotations

import psycopg2

from tools.selftest.mutants.chapters import CHAPTERS
from tools.selftest.mutants.story import Story
from tools.studio.rules import CHANGE

# Everything of a database that an overlay can change: sources, rights, policies, triggers, views, columns, indexes.
FINGERPRINT = """
select string_agg(what, e'\n' order by what) from (
  select p.oid::regprocedure || md5(pg_get_functiondef(p.oid)) || coalesce(p.proacl::text, '') as what
  from pg_proc p where p.pronamespace in ('public'::regnamespace, 'studio'::regnamespace) and p.prokind = 'f'
  union all
  select c.oid::regclass || c.relkind::text || c.relpersistence::text || coalesce(c.relacl::text, '')
    || coalesce(c.reloptions::text, '') || c.relrowsecurity
    || case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) else '' end
  from pg_class c where c.relnamespace in ('public'::regnamespace, 'studio'::regnamespace)
  union all
  select a.attrelid::regclass || a.attname || a.attnum || format_type(a.atttypid, a.atttypmod)
    || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attnum > 0 and not a.attisdropped and a.attrelid::regclass::text !~ '^(pg_|information_schema)'
  union all select x.conrelid::regclass || pg_get_constraintdef(x.oid) from pg_constraint x where x.conrelid <> 0
  union all select pg_get_indexdef(i.indexrelid) from pg_index i
  union all select pg_get_triggerdef(t.oid) from pg_trigger t where not t.tgisinternal
  union all select p::text from pg_policies p
  union all select s.setrole::regrole::text || s.setconfig::text from pg_db_role_setting s
  union all select s.seqrelid::regclass || s.seqincrement::text || s.seqmin from pg_sequence s
) as everything
"""
# For stories: a statement on a table fails when it is told to.
FAULTS = """
create schema faults;
create function faults.fail() returns trigger language plpgsql as $$
begin
  if current_setting('faults.at', true) = tg_table_name || ' ' || tg_op then
    raise exception using errcode = current_setting('faults.state'), message = 'fault';
  end if;
  return null;
end
$$;
grant usage on schema faults to public;
do $$
declare
  v_table text;
begin
  foreach v_table in array array['pilates_bookings', 'pilates_deposits', 'pilates_audit_log',
                                 'pilates_calendar_outbox'] loop
    execute format('create trigger fail before insert or update on public.%I execute function faults.fail()', v_table);
  end loop;
end
$$
"""


class Ground:
    """One database on which every overlay is tried and taken back."""

    def __init__(self, url: str):
        # Planning takes most of the time, and each overlay makes all plans worthless.
        self.connection = psycopg2.connect(url, options="-c plan_cache_mode=force_generic_plan")
        with self.connection.cursor() as cursor:
            cursor.execute(FAULTS)
            cursor.execute(CHANGE)
        self.connection.commit()
        self.plain = self.fingerprint()
        self.stories = {(name, free): self.tell(name, free) for name in CHAPTERS for free in (False, True)}
        self.connection.rollback()

    def fingerprint(self) -> str:
        with self.connection.cursor() as cursor:
            cursor.execute(FINGERPRINT)
            [(fingerprint,)] = cursor.fetchall()
        return str(fingerprint)

    def tell(self, name: str, free: bool = False) -> list[str]:
        """Tell a chapter upon what stands, and take it back."""
        with self.connection.cursor() as cursor:
            cursor.execute("savepoint chapter")
            story = Story(self.connection, free=free)
            CHAPTERS[name](story)
            story.keep()
            cursor.execute("rollback to chapter")
        return story.told

    def differs(self, likely: str = "", free: bool = False) -> str:
        """Name the first chapter, with its first line, that comes out otherwise; nothing if there is none."""
        for name in sorted(CHAPTERS, key=lambda name: name != likely):
            told, usual = self.tell(name, free), self.stories[name, free]
            if told != usual:
                changed = [pair for pair in zip(told, usual, strict=False) if pair[0] != pair[1]]
                now, then = changed[0] if changed else (f"{len(told)} lines", f"{len(usual)} lines")
                return f"{name}: {now} | {then}"
        return ""
