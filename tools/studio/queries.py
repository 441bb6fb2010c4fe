"""Turns a PostgREST request into one SQL statement with text parameters.

Nothing of a request is ever spliced in: names are looked up in the schema cache and quoted, values travel as
parameters or as quoted literals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tools.studio.errors import RequestError
from tools.studio.schema_cache import Function, SchemaCache, Table

COMPARISONS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
PATTERNS = {"like": "like", "ilike": "ilike"}
IS_VALUES = {"null": "null", "not_null": "not null", "true": "true", "false": "false", "unknown": "unknown"}
RESERVED = frozenset({"select", "order", "limit", "offset", "columns", "on_conflict"})

_ORDER = re.compile(r"(\w+)((?:\.(?:asc|desc|nullsfirst|nullslast))*)")
_SELECT = re.compile(r"(?:(\w+):)?(\w+|\*)(?:::(\w+))?")
_LOGIC = re.compile(r"(not\.)?(or|and)")
_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^,()"]+|[,()"]')
_LIST_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",]*))\s*(?:,|$)')


@dataclass
class Statement:
    """One statement that returns the columns ``body`` (JSON text), ``count`` and maybe ``total``."""

    sql: str
    parameters: list[str] = field(default_factory=list)


def _unreadable(what: str, text: str) -> RequestError:
    return RequestError(400, "PGRST100", f'"failed to parse {what} ({text})" (line 1, column 1)')


def identifier(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Quote a text value, whatever ``standard_conforming_strings`` says."""
    if "\0" in value:
        raise RequestError(400, "22P05", "a value must not contain the character NUL")
    quoted = "'" + value.replace("'", "''").replace("\\", "\\\\") + "'"
    return f"E{quoted}" if "\\" in value else quoted


class _Builder:
    """Collects the parameters while the parts of a statement are written."""

    def __init__(self, cache: SchemaCache, table: Table):
        self.cache, self.table = cache, table
        self.parameters: list[str] = []

    @property
    def target(self) -> str:
        return f"{identifier(self.cache.schema)}.{identifier(self.table.name)}"

    @property
    def named_target(self) -> str:
        return f"{self.target} as t"

    def parameter(self, value: str) -> str:
        if "\0" in value:
            raise RequestError(400, "22P05", "a value must not contain the character NUL")
        self.parameters.append(value)
        return f"${len(self.parameters)}::text"

    def column(self, name: str) -> str:
        if name not in self.table.columns:
            message = f"column {self.table.name}.{name} does not exist"
            raise RequestError(400, "42703", message)
        return f"t.{identifier(name)}"

    def payload_columns(self, columns: Sequence[str]) -> list[str]:
        for column in columns:
            if column not in self.table.columns:
                message = f"Could not find the '{column}' column of '{self.table.name}' in the schema cache"
                raise RequestError(400, "PGRST204", message)
        return [identifier(column) for column in columns]

    def where(self, filters: Iterable[tuple[str, str]]) -> str:
        conditions = [self.term(name, value) for name, value in filters if name not in RESERVED]
        return f" where {' and '.join(conditions)}" if conditions else ""

    def term(self, name: str, expression: str) -> str:
        """Write a condition on a column, or several that ``or`` or ``and`` combine."""
        logic = _LOGIC.fullmatch(name)
        if logic is None:
            return self.condition(name, expression)
        if not (expression.startswith("(") and expression.endswith(")")):
            raise _unreadable("logic tree", expression)
        terms = []
        for part in _parts(expression[1:-1]):
            inner = re.fullmatch(r"((?:not\.)?(?:or|and))(\(.*\))", part)
            column, _, rest = part.partition(".")
            terms.append(self.term(inner[1], inner[2]) if inner else self.condition(column, _unquoted(rest)))
        combined = f"({f' {logic[2]} '.join(terms)})"
        return f"not {combined}" if logic[1] else combined

    def condition(self, name: str, expression: str) -> str:
        column, kind = self.column(name), self.table.columns[name]
        negated, rest = (True, expression[4:]) if expression.startswith("not.") else (False, expression)
        operator, dot, value = rest.partition(".")
        if not dot:
            raise _unreadable("filter", expression)
        if operator in COMPARISONS:
            sql = f"{column} {COMPARISONS[operator]} {self.parameter(value)}::{kind}"
        elif operator in PATTERNS:
            sql = f"{column} {PATTERNS[operator]} {self.parameter(value.replace('*', '%'))}"
        elif operator == "in" and value.startswith("(") and value.endswith(")"):
            items = [f"{self.parameter(item)}::{kind}" for item in _list_items(value[1:-1])]
            sql = f"{column} in ({', '.join(items)})" if items else "false"
        elif operator == "is" and value.lower() in IS_VALUES:
            sql = f"{column} is {IS_VALUES[value.lower()]}"
        else:
            raise _unreadable("filter", expression)
        return f"not ({sql})" if negated else sql

    def selection(self, select: str | None) -> str:
        if not select:
            return "*"
        parts = []
        for item in select.split(","):
            match = _SELECT.fullmatch(item.strip())
            if match is None:
                raise _unreadable("select parameter", select)
            alias, name, cast = match.groups()
            sql = "*" if name == "*" else self.column(name)
            if cast:
                sql = f"{sql}::{identifier(cast)}"
            if alias or (cast and name != "*"):
                sql = f"{sql} as {identifier(alias or name)}"
            parts.append(sql)
        return ", ".join(parts)

    def order(self, order: str | None) -> str:
        if not order:
            return ""
        parts = []
        for item in order.split(","):
            match = _ORDER.fullmatch(item.strip())
            if match is None:
                raise _unreadable("order", order)
            words = match[2].replace("nullsfirst", "nulls first").replace("nullslast", "nulls last")
            parts.append(self.column(match[1]) + words.replace(".", " "))
        return f" order by {', '.join(parts)}"


def _parts(text: str) -> list[str]:
    """Split at the commas that stand in no parentheses and no double quotes."""
    parts, depth = [""], 0
    for piece in _PART.findall(text):
        depth += (piece == "(") - (piece == ")")
        if piece == "," and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _unquoted(expression: str) -> str:
    """Take a value out of its double quotes: ``eq."a,b"`` in a logic tree."""
    return re.sub(r'\."((?:[^"\\]|\\.)*)"$', lambda found: "." + re.sub(r"\\(.)", r"\1", found[1]), expression)


def _list_items(text: str) -> list[str]:
    """Split the inside of ``in.(...)``; items may stand in double quotes with backslash escapes."""
    items, position = [], 0
    while position < len(text):
        match = _LIST_ITEM.match(text, position)
        if match is None:
            raise _unreadable("filter", f"in.({text})")
        items.append(re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2])
        position = match.end()
    return items


def _table(cache: SchemaCache, name: str) -> Table:
    if name not in cache.tables:
        message = f"Could not find the table '{cache.schema}.{name}' in the schema cache"
        raise RequestError(404, "PGRST205", message)
    return cache.tables[name]


def _number(value: str | None, name: str) -> str:
    if value is None:
        return ""
    if not value.isdigit():
        raise _unreadable(name, value)
    return f" {name} {int(value)}"


def _rows(source: str) -> str:
    return f"select coalesce(json_agg(r), '[]')::text as body, count(*) as count from ({source}) r"


def read(cache: SchemaCache, name: str, query: Sequence[tuple[str, str]], *, count: bool = False) -> Statement:
    """Make the statement of ``GET /table?...``; with ``count`` it also returns the ``total`` without a limit."""
    build = _Builder(cache, _table(cache, name))
    options = dict(query)
    selection, where = build.selection(options.get("select")), build.where(query)
    limits = _number(options.get("limit"), "limit") + _number(options.get("offset"), "offset")
    source = f"select {selection} from {build.named_target}{where}{build.order(options.get('order'))}{limits}"
    sql = _rows(source)
    if count:
        sql = f"select p.*, (select count(*) from {build.named_target}{where}) as total from ({sql}) p"
    return Statement(sql, build.parameters)


def insert(
    cache: SchemaCache,
    name: str,
    query: Sequence[tuple[str, str]],
    body: str,
    columns: Sequence[str],
    *,
    resolution: str = "",
    shown: bool = True,
) -> Statement:
    """Make the statement of ``POST /table``.

    Args:
        cache: the schema.
        name: the table.
        query: ``select``, ``columns`` and ``on_conflict`` count.
        body: a JSON array of objects.
        columns: the keys of its first object.
        resolution: ``merge-duplicates``, ``ignore-duplicates`` or nothing.
        shown: whether the new rows are returned; the caller then needs the right to read them.
    """
    build = _Builder(cache, _table(cache, name))
    options = dict(query)
    if options.get("columns"):
        columns = options["columns"].replace('"', "").split(",")
    names = build.payload_columns(columns)
    listed = ", ".join(names)
    sql = f"insert into {build.named_target} default values"
    if names:
        rows = f"select {listed} from json_populate_recordset(null::{build.target}, {build.parameter(body)}::json)"
        sql = f"insert into {build.named_target} ({listed}) {rows}"
    if resolution:
        keys = options["on_conflict"].split(",") if options.get("on_conflict") else build.table.key
        conflict = f" ({', '.join(build.payload_columns(keys))})" if keys else ""
        changes = ", ".join(f"{column} = excluded.{column}" for column in names)
        merge = resolution == "merge-duplicates" and conflict and changes
        sql += f" on conflict{conflict} do " + (f"update set {changes}" if merge else "nothing")
    return _change(build, sql, options.get("select"), shown)


def update(
    cache: SchemaCache,
    name: str,
    query: Sequence[tuple[str, str]],
    body: str,
    columns: Sequence[str],
    *,
    shown: bool = True,
) -> Statement:
    """Make the statement of ``PATCH /table?...``; the body is one JSON object."""
    build = _Builder(cache, _table(cache, name))
    names = build.payload_columns(columns)
    if not names:
        return Statement("select '[]' as body, 0::bigint as count")
    source = f"json_populate_record(null::{build.target}, {build.parameter(body)}::json) as new"
    changes = ", ".join(f"{column} = new.{column}" for column in names)
    sql = f"update {build.named_target} set {changes} from {source}{build.where(query)}"
    return _change(build, sql, dict(query).get("select"), shown)


def delete(cache: SchemaCache, name: str, query: Sequence[tuple[str, str]], *, shown: bool = True) -> Statement:
    """Make the statement of ``DELETE /table?...``."""
    build = _Builder(cache, _table(cache, name))
    sql = f"delete from {build.named_target}{build.where(query)}"
    return _change(build, sql, dict(query).get("select"), shown)


def _change(build: _Builder, sql: str, select: str | None, shown: bool) -> Statement:
    if not shown:
        text = f"with changed as ({sql} returning 1) select '' as body, count(*) as count from changed"
        return Statement(text, build.parameters)
    selected = f"select {build.selection(select)} from changed as t"
    return Statement(f"with changed as ({sql} returning t.*) {_rows(selected)}", build.parameters)


def find_function(cache: SchemaCache, name: str, given: set[str]) -> Function:
    """Choose the function of that name which takes these arguments.

    Raises:
        RequestError: PGRST202 when there is none, PGRST203 when there are several.
    """
    fitting = [function for function in cache.functions.get(name, []) if function.takes(given)]
    listed = ", ".join(sorted(given))
    if not fitting:
        message = f"Could not find the function {cache.schema}.{name}({listed}) in the schema cache"
        details = (
            f"Searched for the function {cache.schema}.{name} with parameters {listed or 'none'}, but none matches."
        )
        others = [f"{cache.schema}.{name}({', '.join(other.arguments)})" for other in cache.functions.get(name, [])]
        hint = f"Perhaps you meant to call the function {others[0]}" if others else None
        raise RequestError(404, "PGRST202", message, details, hint)
    if len(fitting) > 1:
        message = f"Could not choose the best candidate function among the overloads of {cache.schema}.{name}"
        raise RequestError(300, "PGRST203", message, hint="Rename the parameters or the functions.")
    return fitting[0]


def call(cache: SchemaCache, function: Function, given: Sequence[str], body: str) -> Statement:
    """Make the statement of ``POST /rpc/function``: PostgreSQL itself takes the arguments from the JSON body.

    The row also holds what the function has set of its answer, as ``status`` and ``headers``; read only once the call
    is over, which the materialized part makes sure of.
    """
    sql, parameters = _invocation(cache, function, given, body)
    set_there = ", ".join(f"current_setting('response.{name}', true) as {name}" for name in ("status", "headers"))
    return Statement(f"with called as materialized ({sql}) select called.*, {set_there} from called", parameters)


def _invocation(cache: SchemaCache, function: Function, given: Sequence[str], body: str) -> tuple[str, list[str]]:
    parts = ", ".join(f"{identifier(name)} {function.arguments[name]}" for name in given)
    arguments = ", ".join(f"{identifier(name)} => a.{identifier(name)}" for name in given)
    invoked = f"{identifier(cache.schema)}.{identifier(function.name)}({arguments})"
    source = f"from json_to_record($1::json) as a({parts}), lateral " if given else "from "
    parameters = [body] if given else []
    if function.is_void:
        return f"select '' as body, count(*) as count {source}{invoked} as f", parameters
    if function.is_set or function.is_composite:
        row = "f" if function.is_composite else "f.f"
        rows = f"select {row} as r {source}{invoked} as f"
        if function.is_set:
            return f"select coalesce(json_agg(x.r), '[]')::text as body, count(*) as count from ({rows}) x", parameters
        return f"select row_to_json(x.r)::text as body, 1 as count from ({rows}) x", parameters
    return f"select coalesce(to_json(f.f)::text, 'null') as body, 1 as count {source}{invoked} as f(f)", parameters
