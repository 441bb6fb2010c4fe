"""What the gateway knows about a database: its tables, views and functions, as PostgREST's schema cache does."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection = asyncpg.Connection | PoolConnectionProxy

TABLES = """
select c.relname::text as name,
       array_agg(a.attname::text order by a.attnum) as columns,
       array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum) as types,
       coalesce((select array_agg(k.attname::text) from pg_index i
                 join pg_attribute k on k.attrelid = c.oid and k.attnum = any (i.indkey)
                 where i.indrelid = c.oid and i.indisprimary), '{}') as key
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'v', 'm', 'p', 'f')
group by c.oid, c.relname, c.relkind
"""

FUNCTIONS = """
select p.proname::text as name,
       coalesce(p.proargnames[1:p.pronargs], '{}')::text[] as arguments,
       coalesce((select array_agg(format_type(t, null) order by n) from unnest(p.proargtypes) with ordinality u(t, n)),
                '{}') as types,
       p.pronargdefaults as defaults,
       p.proretset as is_set,
       (t.typtype = 'c' or (t.oid = 'record'::regtype and p.proargmodes is not null)) as is_composite,
       t.oid = 'void'::regtype as is_void
from pg_proc p
join pg_type t on t.oid = p.prorettype
where p.pronamespace = $1::regnamespace and p.prokind = 'f' and t.oid <> 'trigger'::regtype
"""


@dataclass(frozen=True)
class Table:
    """A table or view: column names with their types, and the primary key's columns."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """A function: argument names with their types, how many of them (from the end) have defaults, what it returns."""

    name: str
    arguments: dict[str, str]
    defaults: int
    is_set: bool
    is_composite: bool
    is_void: bool

    def takes(self, names: set[str]) -> bool:
        """Tell whether a call with exactly these named arguments fits."""
        all_names = list(self.arguments)
        required = set(all_names[: len(all_names) - self.defaults])
        return required <= names <= set(all_names)


@dataclass(frozen=True)
class SchemaCache:
    """The exposed schema at one moment."""

    schema: str
    tables: dict[str, Table]
    functions: dict[str, list[Function]]


async def load(connection: Connection, schema: str) -> SchemaCache:
    """Read the schema cache of one schema."""
    tables = {}
    for row in await connection.fetch(TABLES, schema):
        columns = dict(zip(row["columns"], row["types"], strict=True))
        tables[row["name"]] = Table(row["name"], columns, tuple(row["key"]))
    functions: dict[str, list[Function]] = {}
    for row in await connection.fetch(FUNCTIONS, schema):
        function = Function(
            row["name"],
            dict(zip(row["arguments"], row["types"], strict=False)),
            row["defaults"],
            row["is_set"],
            row["is_composite"],
            row["is_void"],
        )
        functions.setdefault(row["name"], []).append(function)
    return SchemaCache(schema, tables, functions)
