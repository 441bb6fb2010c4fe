"""Describes what a target looks like, section by section, for a person to read; it only looks.

Tables with their columns, functions, policies, triggers, grants, whether instruments may be installed, what is stood
in for: of the contract's tables, and of those that their rows need.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import instruments, rows
from acceptance.catalogue import PUBLIC, Catalogue, Table
from acceptance.contract import Contract
from acceptance.environment import Environment
from acceptance.functions import RETURNS

WIDTH = 118
SHORT = 70  # characters of a condition, unless all details are wanted
MOST_FUNCTIONS = 25
ROLES = ("anon", "authenticated", "service_role")
LETTERS = {"select": "r", "insert": "i", "update": "u", "delete": "d"}

SHORT_TYPES = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time without time zone": "time",
    "character varying": "varchar",
}
# How PostgreSQL writes a function's value that is asked for once: no more than the call.
ASKED_ONCE = re.compile(r"\( SELECT ([\w.]+\(\)) AS \w+\)")

FUNCTIONS = """
select p.proname::text, pg_get_function_arguments(p.oid), /* returns */, p.prosecdef,
       array(select has_function_privilege(r.oid, p.oid, 'execute') from unnest(%(roles)s) with ordinality w(name, n)
             join pg_roles r on r.rolname = w.name order by n)
from pg_proc p join pg_type t on t.oid = p.prorettype
where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and t.typname not in ('trigger', 'event_trigger')
  and p.prolang not in (select oid from pg_language where lanname in ('c', 'internal'))
  and p.proname !~ '^(citext|textic)'
order by p.proname, p.oid
""".replace("/* returns */", RETURNS)
POLICIES = """
select schemaname || '.' || tablename, cmd, array_to_string(roles, ', '), policyname::text, permissive, qual, with_check
from pg_policies where schemaname || '.' || tablename = any(%(tables)s) order by 1, 2, 4
"""
TRIGGERS = """
select c.oid::regclass::text, t.tgname::text, pg_get_triggerdef(t.oid), p.oid::regproc::text, t.tgenabled <> 'D'
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
join pg_proc p on p.oid = t.tgfoid
where not t.tgisinternal and p.pronamespace::regnamespace::text <> 'acceptance'
  and n.nspname || '.' || c.relname = any(%(tables)s)
order by 1, 2
"""
GRANTS = """
select n.nspname || '.' || c.relname, c.relrowsecurity, c.relkind,
       (select json_object_agg(r.rolname, (
          select json_agg(w) from unnest(array['select', 'insert', 'update', 'delete']) w
          where case when w = 'delete' then has_table_privilege(r.oid, c.oid, w)
                     else has_any_column_privilege(r.oid, c.oid, w) end))
        from pg_roles r where r.rolname = any(%(roles)s))
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname || '.' || c.relname = any(%(tables)s) order by 1
"""
MAY_INSTALL = """
select current_user::text, has_database_privilege(current_database(), 'create'),
       array(select name from unnest(%(tables)s) name join pg_class c on c.oid = to_regclass(name)
             where not pg_has_role(c.relowner, 'usage'))
"""


@dataclass
class Section:
    """A heading with its lines."""

    title: str
    lines: list[str]


def sections(
    connection: Connection, environment: Environment, catalogue: Catalogue, contract: Contract, *, details: bool
) -> Iterator[Section]:
    """Describe a target.

    Args:
        connection: a role that reads the catalogue.
        environment: what is known of the target.
        catalogue: its tables.
        contract: how it says what the contract says.
        details: whether to show whole conditions, and everything there is.
    """
    read = _reader(connection, catalogue)
    tables = list(_tables(connection, catalogue, details=details))
    yield Section("Tables (! wants a value, * key, > refers to)", tables)
    yield Section("Functions", list(_functions(read(FUNCTIONS), contract, details=details)))
    yield Section("Policies of row-level security", list(_policies(read(POLICIES), read(GRANTS), details=details)))
    yield Section("Triggers", list(_triggers(read(TRIGGERS), details=details)) or ["none"])
    yield Section("Grants on tables (r read, i insert, u update, d delete)", list(_grants(read(GRANTS))))
    yield Section("Instruments inside the database", [may_install(connection, environment)[1]])
    if stood_in := _stood_in(connection):
        yield Section("Extensions", stood_in)


def _reader(connection: Connection, catalogue: Catalogue) -> Callable[[str], list[tuple[Any, ...]]]:
    tables = [*_of_interest(catalogue), f"{PUBLIC}{rows.OCCUPANCY}"]

    def read(query: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(query, {"tables": tables, "roles": list(ROLES)})
            return cursor.fetchall()

    return read


def _of_interest(catalogue: Catalogue) -> list[str]:
    """List the contract's tables, those that their rows need, and the optional ones."""
    wanted = [f"{PUBLIC}{name}" for name in catalogue.contract]
    wanted += [name for name in catalogue.parents_of_rows if name not in wanted]
    return wanted + [f"{PUBLIC}{name}" for name in rows.SIDE_TABLES if name in catalogue]


def _tables(connection: Connection, catalogue: Catalogue, *, details: bool) -> Iterator[str]:
    needed = [name for name in catalogue.parents_of_rows if name not in catalogue.own]
    for name in _of_interest(catalogue):
        table, note = catalogue.tables[name], "  (rows of the others need some of it)" if name in needed else ""
        # Of Supabase's own tables only what counts here: everybody's are the same.
        shown = [c for c in table.columns.values() if details or table.name.startswith(PUBLIC) or c.required]
        parts = [_column(table, column.name) for column in shown]
        if left := len(table.columns) - len(shown):
            parts.append(f"{left} more")
        yield from _entry(f"{_short_name(name)}{note}", parts)
    if rows.OCCUPANCY in catalogue:
        with connection.cursor() as cursor:
            cursor.execute(
                "select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
                (f"{PUBLIC}{rows.OCCUPANCY}",),
            )
            yield from _entry(f"{rows.OCCUPANCY}  (view)", [_short_type(one) for (one,) in cursor.fetchall()])


def _column(table: Table, name: str) -> str:
    column = table.columns[name]
    kind = _short_type(column.type) + (f"({column.length})" if column.length else "")
    labels = table.labels(name)
    told = f"{name} {kind}" + ("!" if column.required else "") + ("*" if name in table.key else "")
    target = next((one.table for one in table.foreign if one.column == name), "")
    return told + (f" [{'|'.join(labels)}]" if labels else "") + (f" > {_short_name(target)}" if target else "")


def _short_type(text: str) -> str:
    """Write types as people do."""
    for long, short in SHORT_TYPES.items():
        text = text.replace(long, short)
    return text


def _entry(head: str, parts: Sequence[str], indent: str = "  ") -> Iterator[str]:
    """Write a head, and parts that run on over as many lines as they need, none of them torn apart."""
    line = f"{head}: "
    for number, part in enumerate(parts):
        piece = part + (", " if number < len(parts) - 1 else "")
        if len(line) + len(piece) > WIDTH and line.strip():
            yield line.rstrip()
            line = indent
        line += piece
    yield line.rstrip()


def _functions(found: list[tuple[Any, ...]], contract: Contract, *, details: bool) -> Iterator[str]:
    used = {function.name: str(operation) for operation, function in contract.functions.items()}
    found = sorted(found, key=lambda one: (one[0] not in used, one[0]))
    for name, arguments, returns, definer, may in found if details else found[:MOST_FUNCTIONS]:
        roles = [role for role, allowed in zip(ROLES, may, strict=False) if allowed]
        said = [f"{name}({_short_type(arguments)})", f"-> {_short_type(returns)}"]
        said += ["security definer"] if definer else []
        said += [f"for {', '.join(roles)}" if roles else "for none of the three roles"]
        operation = f"{used[name]}: " if name in used else ""
        yield from wrapped(operation + "  ".join(said))
    if not details and len(found) > MOST_FUNCTIONS:
        yield f"and {len(found) - MOST_FUNCTIONS} more, which no operation is; see --details"
    for operation in contract.lacking:
        if operation in contract.composites:
            yield f"{operation}: none; made of {' and '.join(contract.composites[operation])}"
        elif operation not in contract.operations:
            yield f"{operation}: none"


def _policies(found: list[tuple[Any, ...]], tables: list[tuple[Any, ...]], *, details: bool) -> Iterator[str]:
    by_table = defaultdict(list)
    for table, *policy in found:
        by_table[table].append(policy)
    for table, enforced, kind, _ in tables:
        if kind == "v":
            continue
        if not enforced:
            yield f"{_short_name(table)}: row-level security is off; the grants alone decide"
        elif table not in by_table:
            yield f"{_short_name(table)}: no policy, so nobody but who bypasses them"
        for command, roles, name, permissive, using, check in by_table[table] if enforced else []:
            condition = [f"using {_brief(using, details=details)}"] if using else []
            condition += [f"check {_brief(check, details=details)}"] if check else []
            strict = "" if permissive == "PERMISSIVE" else " (restrictive)"
            line = f"{_short_name(table)}: {command.lower()} for {roles}: {'; '.join(condition)}{strict}"
            yield from wrapped(f"{line}  {name!r}" if details else line)


def _brief(text: str, *, details: bool) -> str:
    line = " ".join(text.split())
    line = line if details else ASKED_ONCE.sub(r"\1", line)
    return line if details or len(line) <= SHORT else f"{line[:SHORT]} ..."


def _triggers(found: list[tuple[Any, ...]], *, details: bool) -> Iterator[str]:
    for table, name, definition, function, enabled in found:
        when = re.search(r"(BEFORE|AFTER|INSTEAD OF) (.+?) ON ", definition)
        each = "row" if "FOR EACH ROW" in definition else "statement"
        off = "" if enabled else "  (switched off)"
        told = f"{when[0].removesuffix(' ON ').lower()}, each {each}" if when else ""
        yield from wrapped(definition if details else f"{table}: {name}: {told}: {function}(){off}")


def _grants(found: list[tuple[Any, ...]]) -> Iterator[str]:
    width = max((len(_short_name(name)) for name, *_ in found), default=0)
    there = [role for role in ROLES if any(role in (may or {}) for *_, may in found)]
    if not there:
        yield f"the database has none of the roles {', '.join(ROLES)}"
        return
    yield f"{'':{width}}  {'  '.join(f'{role:13}' for role in there)}".rstrip()
    for name, _, _, may in found:
        letters = ["".join(s if w in (may.get(role) or ()) else "-" for w, s in LETTERS.items()) for role in there]
        yield f"{_short_name(name):{width}}  {'  '.join(f'{one:13}' for one in letters)}".rstrip()


def may_install(connection: Connection, environment: Environment) -> tuple[bool, str]:
    """Tell whether instruments may be installed, as far as looking shows it, and say so."""
    with connection.cursor() as cursor:
        tables = [f"{PUBLIC}{name}" for name in instruments.TABLES]
        cursor.execute(MAY_INSTALL, {"tables": tables})
        [(user, creates, strangers)] = cursor.fetchall()
    there = instruments.installed(connection)
    lacks = []
    if not creates and there is None:
        lacks.append("may create no schema")
    if strangers:
        lacks.append(f"does not own {', '.join(sorted(map(_short_name, strangers)))}")
    if there is not None and not there.startswith(instruments.MARK):
        lacks.append("finds a schema 'acceptance' that is not ours")
    if not environment.instruments:
        could = f"the role {user} {' and '.join(lacks)}" if lacks else f"the role {user} could install them"
        return False, f"no: {environment.name} does not say `instruments: true`; {could}"
    if environment.only_read:
        return False, "no: nothing may be written there"
    if lacks:
        return False, f"no: {environment.name} says `instruments: true`, but the role {user} {' and '.join(lacks)}"
    return True, f"yes: {environment.name} says so, and the role {user} may create a schema and triggers"


def _stood_in(connection: Connection) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('extensions.stood_in_for') is not null")
        if cursor.fetchall() != [(True,)]:
            return []
        cursor.execute("select name, how from extensions.stood_in_for order by name")
        return [line for name, how in cursor.fetchall() for line in wrapped(f"{name}: stood in for; {how}")]


def wrapped(text: str) -> Iterator[str]:
    """Break a line between words; what runs on is indented."""
    words, line = text.split(" "), ""
    for word in words:
        if line.strip() and len(line) + len(word) + 1 > WIDTH:
            yield line.rstrip()
            line = "    "
        line += word if not line.strip() else f" {word}"
    yield line.rstrip()


def _short_name(table: str) -> str:
    return table.removeprefix(PUBLIC)
