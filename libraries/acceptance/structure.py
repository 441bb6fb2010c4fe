"""What a target's catalogue says that may explain a loss: triggers, cascades, constraints, policies, functions.

Read anew for each failure (a few milliseconds), for a studio may be changed between two. Each thing worth knowing is a
*clue*: a sentence, as ``data/patterns.yaml`` uses it, and the names that fill the suggested SQL.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

Clue = tuple[str, dict[str, str]]
Row = dict[str, Any]

TABLES = {
    "pilates_bookings": "the bookings",
    "pilates_deposits": "the deposits",
    "pilates_schedule_slots": "the classes",
    "user_profiles": "the members",
}
ELSEWHERE = "another table"
# Of the suite's own schema and of PostgreSQL's nothing is a cause.
QUERY = r"""
with ours as (
  select c.oid, c.relname::text as name, c.relkind, c.relpersistence, c.relrowsecurity, c.reloptions, c.relacl,
         c.relowner
  from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
)
select json_build_object(
  'tables', (select coalesce(json_agg(json_build_object(
      'name', name, 'view', relkind in ('v', 'm'), 'logged', relpersistence <> 'u', 'guarded', relrowsecurity,
      'invoker', coalesce(array_to_string(reloptions, ','), '') ~* 'security_invoker=(true|on|1)',
      'granted', (select coalesce(json_agg(lower(a.privilege_type)), '[]')
                  from aclexplode(coalesce(relacl, acldefault('r', relowner))) a
                  left join pg_roles r on r.oid = a.grantee
                  where a.grantee = 0 or r.rolname in ('anon', 'authenticated'))) order by name), '[]') from ours),
  'triggers', (select coalesce(json_agg(json_build_object(
      'name', quote_ident(t.tgname), 'table', o.name, 'before', (t.tgtype & 2) <> 0,
      'function', p.oid::regprocedure::text) order by o.name, t.tgname), '[]')
    from pg_trigger t join ours o on o.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
    where not t.tgisinternal and t.tgenabled <> 'D' and p.pronamespace <> coalesce(to_regnamespace('acceptance'), 0)),
  'foreign', (select coalesce(json_agg(json_build_object(
      'name', quote_ident(k.conname), 'table', o.name, 'to', f.name, 'on_delete', k.confdeltype,
      'columns', (select string_agg(quote_ident(attname), ', ') from pg_attribute
                  where attrelid = k.conrelid and attnum = any (k.conkey)),
      'keys', (select string_agg(quote_ident(attname), ', ') from pg_attribute
               where attrelid = k.confrelid and attnum = any (k.confkey))) order by k.conname), '[]')
    from pg_constraint k join ours o on o.oid = k.conrelid join ours f on f.oid = k.confrelid where k.contype = 'f'),
  'unique', (select coalesce(json_agg(json_build_object('table', o.name,
      'columns', (select coalesce(json_agg(attname), '[]') from pg_attribute
                  where attrelid = i.indrelid and attnum = any (i.indkey)))), '[]')
    from pg_index i join ours o on o.oid = i.indrelid where i.indisunique),
  'checks', (select coalesce(json_agg(json_build_object('table', o.name, 'says', pg_get_constraintdef(k.oid))), '[]')
    from pg_constraint k join ours o on o.oid = k.conrelid where k.contype = 'c'),
  'policies', (select coalesce(json_agg(json_build_object(
      'name', quote_ident(policyname), 'table', tablename, 'action', lower(cmd), 'roles', array_to_string(roles, ', '))
      order by policyname), '[]')
    from pg_policies where schemaname = 'public' and permissive = 'PERMISSIVE'),
  'functions', (select coalesce(json_agg(json_build_object(
      'name', p.proname, 'schema', n.nspname, 'signature', p.oid::regprocedure::text,
      'source', coalesce(pg_get_function_sqlbody(p.oid), p.prosrc))), '[]')
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
    where l.lanname in ('sql', 'plpgsql')
      and n.nspname !~ '^(pg_|information_schema$|acceptance$|extensions$|auth$|storage$|graphql|realtime$|vault$)'),
  'asynchronous', current_setting('synchronous_commit') = 'off' or exists (
      select from pg_db_role_setting where array_to_string(setconfig, ',') ~* 'synchronous_commit=off')
    or exists (select from pg_proc where array_to_string(proconfig, ',') ~* 'synchronous_commit=off')
)::text
"""
COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
WRITES = re.compile(
    r'\b(?:update|insert\s+into|delete\s+from|truncate)\s+(?:only\s+)?(?:"?public"?\.)?"?(\w+)"?', re.IGNORECASE
)
CHANGES_ITS_ROW = re.compile(r"\bnew\.\w+\s*:?=", re.IGNORECASE)
LOCKS = re.compile(r"\bfor\s+(no\s+key\s+)?update\b|advisory|\block\s+table\b|serializable", re.IGNORECASE)
CATCHES = re.compile(r"exception\s+when\s+(others|query_canceled|raise_exception)", re.IGNORECASE)
ASKS_WHO = re.compile(r"auth\.(uid|jwt|role)|request\.jwt|current_user|session_user", re.IGNORECASE)
ABOUT = re.compile(r"\b(pilates_\w+|user_profiles|idempotency_keys)\b")
DONE = re.compile(r"must not (read|insert|update|delete)")
ACTIONS = {"read": "select"}
CASCADES = {"c": "deleted", "n": "cut off", "d": "cut off"}
# Every clue there can be; a pattern that names another one is a slip of the pen.
CLUES = frozenset(
    {f"a trigger of {of} writes {what}" for of in (*TABLES.values(), ELSEWHERE) for what in TABLES.values()}
    | {f"a trigger of {of} changes what is written" for of in (*TABLES.values(), ELSEWHERE)}
    | {f"bookings are {how} with {what}" for how in CASCADES.values() for what in TABLES.values()}
    | {
        "no foreign key ties bookings to classes",
        "no unique index forbids a second booking",
        "no check forbids a deposit below zero",
        "the function takes a lock",
        "the function takes no lock",
        "the function catches errors",
        "the function does not ask who calls",
        "the view asks with its owner's rights",
        "the table has no row level security",
        "a policy of the table speaks of it",
        "no policy of the table speaks of it",
        "a table is unlogged",
        "the commit does not wait for the disk",
    }
)


@dataclass(frozen=True)
class Structure:
    """The catalogue, as far as it may explain something."""

    tables: dict[str, Row] = field(default_factory=dict)
    triggers: list[Row] = field(default_factory=list)
    foreign: list[Row] = field(default_factory=list)
    unique: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    policies: list[Row] = field(default_factory=list)
    functions: list[Row] = field(default_factory=list)
    asynchronous: bool = False

    def clues(self, functions: Collection[str] = (), sentence: str = "") -> dict[str, dict[str, str]]:
        """List the clues, each with its names.

        Args:
            functions: the names of the functions that were asked for.
            sentence: what broke first; it may name a table and what was done to it.
        """
        found: dict[str, dict[str, str]] = {}
        for clue, names in (
            *self._of_triggers(),
            *self._of_constraints(),
            *self._of_functions(functions),
            *self._of_rights(sentence),
            *self._of_storage(),
        ):
            found.setdefault(clue, names)
        return found

    def signatures(self, names: Iterable[str]) -> list[str]:
        """Say functions with the types of their arguments, as ``alter function`` wants them."""
        wanted = set(names)
        return sorted(f["signature"] for f in self.functions if f["name"] in wanted and f["schema"] == "public")

    def source(self, signature: str) -> str:
        """Return the source of a function together with that of the functions it calls."""
        first = next((f for f in self.functions if f["signature"] == signature), None)
        reached, queue = [], [first] if first else []
        while queue:
            one = queue.pop()
            reached.append(one)
            words = set(re.findall(r"(\w+)\s*\(", one["source"]))
            queue += [f for f in self.functions if f["name"] in words and f not in reached and f not in queue]
        return "\n".join(COMMENTS.sub("", one["source"]) for one in reached)

    def _of_triggers(self) -> Iterator[Clue]:
        for one in self.triggers:
            source = self.source(one["function"])
            of = TABLES.get(one["table"], ELSEWHERE)
            names = {
                "trigger": one["name"],
                "trigger_table": f"public.{one['table']}",
                "trigger_function": one["function"],
            }
            for table in dict.fromkeys(WRITES.findall(source)):
                if table.lower() in TABLES:
                    yield f"a trigger of {of} writes {TABLES[table.lower()]}", names
            if one["before"] and CHANGES_ITS_ROW.search(source):
                yield f"a trigger of {of} changes what is written", names

    def _of_constraints(self) -> Iterator[Clue]:
        for one in self.foreign:
            if one["table"] == "pilates_bookings" and one["on_delete"] in CASCADES and one["to"] in TABLES:
                names = {"constraint": one["name"], "columns": one["columns"], "keys": one["keys"]}
                names["parent"] = f"public.{one['to']}"
                yield f"bookings are {CASCADES[one['on_delete']]} with {TABLES[one['to']]}", names
        if not any(
            one["table"] == "pilates_bookings" and one["to"] == "pilates_schedule_slots" for one in self.foreign
        ):
            yield "no foreign key ties bookings to classes", {}
        pairs = [set(one["columns"]) for one in self.unique if one["table"] == "pilates_bookings"]
        if {"user_id", "slot_id"} not in pairs:
            yield "no unique index forbids a second booking", {}
        says = [one["says"] for one in self.checks if one["table"] == "pilates_deposits"]
        if not any("deposit_remaining" in one for one in says):
            yield "no check forbids a deposit below zero", {}

    def _of_functions(self, asked: Collection[str]) -> Iterator[Clue]:
        for signature in self.signatures(asked):
            source, names = self.source(signature), {"function": signature}
            yield f"the function takes {'a' if LOCKS.search(source) else 'no'} lock", names
            if CATCHES.search(source):
                yield "the function catches errors", names
            if not ASKS_WHO.search(source):
                yield "the function does not ask who calls", names

    def _of_rights(self, sentence: str) -> Iterator[Clue]:
        about, done = ABOUT.search(sentence), DONE.search(sentence)
        table = self.tables.get(about.group(1)) if about else None
        if table is None:
            return
        action = ACTIONS.get(done.group(1), done.group(1)) if done else "select"
        names = {"table": f"public.{table['name']}", "action": action}
        if table["view"]:
            if not table["invoker"]:
                yield "the view asks with its owner's rights", names
            return
        if not table["guarded"]:
            yield "the table has no row level security", names
            return
        policies = [p for p in self.policies if p["table"] == table["name"] and p["action"] in (action, "all")]
        if policies:
            listed = ", ".join(p["name"] for p in policies)
            yield "a policy of the table speaks of it", {**names, "policy": policies[0]["name"], "policies": listed}
        elif action in table["granted"]:
            yield "no policy of the table speaks of it", names

    def _of_storage(self) -> Iterator[Clue]:
        unlogged = [name for name, one in self.tables.items() if not one["logged"]]
        if unlogged:
            yield "a table is unlogged", {"table": f"public.{unlogged[0]}"}
        if self.asynchronous:
            yield "the commit does not wait for the disk", {}


def read(connection: Connection) -> Structure:
    """Read the catalogue; nothing where the database does not answer, for a failure must be written all the same."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(QUERY)
            [(text,)] = cursor.fetchall()
    except psycopg2.Error:
        return Structure()
    return of(orjson.loads(text))


def of(told: Mapping[str, Any]) -> Structure:
    """Make it of what the query returns."""
    return Structure(**{**told, "tables": {one["name"]: one for one in told.get("tables", ())}})
