"""What a target's tables look like: columns, foreign keys and what a new row cannot do without, read from PostgreSQL.

By the contract's own names a catalogue is a plain dictionary of column names. ``tables`` knows all tables of all
schemas by their full names, so that rows can be made, and removed, which other people's schemas ask for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

PUBLIC = "public."
# The suite's own schema, and those whose tables nobody's booking system refers to.
LEFT_OUT = ("pg_catalog", "information_schema", "pg_toast", "acceptance", "storage", "realtime", "vault", "extensions")
OURS = re.compile(r"user|member|profile|client|slot|class|booking|deposit|caller|actor|owner")
LITERAL = re.compile(r"'((?:[^']|'')*)'(?:::|\)|,|\s|\])")

QUERY = """
select coalesce(json_agg(json_build_object(
  'name', n.nspname || '.' || c.relname,
  'columns', (
    select json_agg(json_build_object(
      'name', a.attname, 'type', format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null), 'kind', t.typtype,
      'length', case when a.atttypmod > 4 and t.typname in ('varchar', 'bpchar') then a.atttypmod - 4 end,
      'required', a.attnotnull and not a.atthasdef and a.attidentity = '' and t.typdefault is null,
      'generated', a.attgenerated <> '',
      'labels', (select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)
    ) order by a.attnum)
    from pg_attribute a join pg_type t on t.oid = a.atttypid
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
  'foreign', (
    select coalesce(json_agg(json_build_object(
      'column', (select attname from pg_attribute where attrelid = c.oid and attnum = k.conkey[1]),
      'table', fn.nspname || '.' || fc.relname,
      'key', (select attname from pg_attribute where attrelid = fc.oid and attnum = k.confkey[1])
    )), '[]')
    from pg_constraint k
    join pg_class fc on fc.oid = k.confrelid join pg_namespace fn on fn.oid = fc.relnamespace
    where k.conrelid = c.oid and k.contype = 'f' and array_length(k.conkey, 1) = 1),
  'checks', (
    select coalesce(json_agg(pg_get_constraintdef(k.oid)), '[]') from pg_constraint k
    where k.conrelid = c.oid and k.contype = 'c'),
  'unique', (
    select coalesce(json_agg((select json_agg(a.attname) from pg_attribute a
                              where a.attrelid = c.oid and a.attnum = any (i.indkey))), '[]')
    from pg_index i where i.indrelid = c.oid and i.indisunique and i.indpred is null and i.indexprs is null),
  'key', (
    select json_agg(a.attname) from pg_index i
    join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
    where i.indrelid = c.oid and i.indisprimary)
)), '[]')::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and n.nspname <> all (%s) and n.nspname not like 'pg\\_%%'
"""


@dataclass(frozen=True)
class Column:
    """One column: ``required`` says that a row cannot be inserted without a value for it."""

    name: str
    type: str
    kind: str
    length: int | None
    required: bool
    generated: bool
    labels: Sequence[str] | None


@dataclass(frozen=True)
class Reference:
    """A foreign key of one column."""

    column: str
    table: str
    key: str


@dataclass(frozen=True)
class Table:
    """One table by its full name."""

    name: str
    columns: dict[str, Column]
    foreign: tuple[Reference, ...]
    checks: tuple[str, ...]
    unique: tuple[frozenset[str], ...]
    key: tuple[str, ...]

    def labels(self, column: str) -> list[str]:
        """List the words that a column may hold, where an enum or a CHECK names them; else none."""
        found = self.columns.get(column)
        if found is not None and found.labels:
            return list(found.labels)
        for check in self.checks:
            # Texts and lists of texts only: a comparison with another column is no list of words.
            about = re.search(rf"\(\(?\(?\"?{re.escape(column)}\"?\)?(::\w+)? (= ANY|=|IN)", check)
            if about and (words := [word.replace("''", "'") for word in LITERAL.findall(check)]):
                return words
        return []


class Catalogue(dict[str, set[str]]):
    """The contract's tables and views by name, each with its columns; and all tables with all that is known of them.

    Args:
        named: the contract's part.
        tables: every table by its full name.
        values: what the environment says that columns of new rows get, by table.
        parents: tables in which the environment says that each member needs a row.
        called: what the target calls a column of the contract, by table and column, where it is another name.
    """

    def __init__(self, named: dict[str, set[str]], tables: dict[str, Table] | None = None):
        super().__init__(named)
        self.tables = tables or {}
        self.column_values: dict[str, dict[str, Any]] = {}
        self.parents: tuple[str, ...] = ()
        self.called: dict[tuple[str, str], str] = {}
        self.contract: tuple[str, ...] = ()
        self.own: frozenset[str] = frozenset()
        # Users that are not the suite's, but act in its cases; and the rows of theirs in tables ``of_members``.
        self.users_given: frozenset[str] = frozenset()
        self.parents_given: dict[tuple[str, str], Any] = {}

    @cached_property
    def of_others(self) -> dict[str, Table]:
        """The tables that are not the contract's nor ours: where there are none, rows need no completing."""
        return {name: table for name, table in self.tables.items() if name not in self.own}

    @cached_property
    def of_members(self) -> dict[str, Reference]:
        """The tables in which each member needs a row, with the reference to the member.

        They are those that bookings or deposits must refer to and that refer to a member, and those that the
        environment names.
        """
        wanted = {full_name(name) for name in self.parents}
        for name in ("public.pilates_bookings", "public.pilates_deposits"):
            table = self.tables[name]
            wanted |= {r.table for r in table.foreign if table.columns[r.column].required and r.table in self.of_others}
        found = {}
        for name in sorted(wanted):
            other = self.tables.get(name)
            reference = next((r for r in other.foreign if self._is_member(r)), None) if other else None
            if reference is not None:
                found[name] = reference
        return found

    @staticmethod
    def _is_member(reference: Reference) -> bool:
        return reference.table in ("public.user_profiles", "auth.users")

    @cached_property
    def parents_of_rows(self) -> tuple[str, ...]:
        """Every table that rows of the contract may need rows of, directly or by another."""
        reached: list[str] = list(self.of_members)
        queue = [f"{PUBLIC}{name}" for name in self.contract] + reached
        while queue:
            for reference in self.tables[queue.pop()].foreign:
                if reference.table in self.of_others and reference.table not in reached:
                    reached.append(reference.table)
                    queue.append(reference.table)
        return tuple(reached)

    def children_first(self) -> list[Table]:
        """Order the tables so that none stands before one that refers to it."""
        left = dict(self.tables)
        ordered = []
        while left:
            wanted = {r.table for t in left.values() for r in t.foreign if r.table != t.name}
            free = [name for name in left if name not in wanted] or list(left)[:1]
            ordered += [left.pop(name) for name in sorted(free)]
        return ordered

    def ours(self, table: Table) -> Iterator[Column]:
        """Name the columns by which a row can be told to be of the suite: they hold ids that the suite has made."""
        keys = {reference.column for reference in table.foreign} | set(table.key)
        for column in table.columns.values():
            if column.type == "uuid" and (column.name in keys or OURS.search(column.name)):
                yield column


def full_name(table: str) -> str:
    """Add the schema to a name that has none."""
    return table if "." in table else f"{PUBLIC}{table}"


def read_tables(connection: Connection) -> dict[str, Table]:
    """Read all tables of all schemas but PostgreSQL's own."""
    with connection.cursor() as cursor:
        cursor.execute(QUERY, (list(LEFT_OUT),))
        [(text,)] = cursor.fetchall()
    found = orjson.loads(text)
    return {
        one["name"]: Table(
            one["name"],
            {column["name"]: Column(**column) for column in one["columns"] or []},
            tuple(Reference(**reference) for reference in one["foreign"]),
            tuple(one["checks"]),
            tuple(frozenset(columns) for columns in one["unique"]),
            tuple(one["key"] or ()),
        )
        for one in found
    }
