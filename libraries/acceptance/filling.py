"""Completes the rows that the suite makes: values for columns that need one, and the rows that they refer to.

All of it follows from the catalogue. The ids of such parents are derived from the row that needs them, so that they
are found again when the case is over. What cannot be guessed is said in ``data/environments.yaml`` (values, parents).
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from acceptance.catalogue import Catalogue, Column, Reference, Table, full_name
from acceptance.errors import SuiteError

Row = dict[str, Any]
DEEPEST = 6
LATER = re.compile(r"(end|until|expir|valid_to|to_date|due|renew)")
EARLIER = re.compile(r"(start|begin|from|since|birth|created|joined)")
RELATIVE = re.compile(r"([+-]\d+)d")
GOOD_WORDS = ("active", "confirmed", "paid", "open", "approved", "enabled", "user", "member")
PROFILES = "public.user_profiles"


def derived(anchor: str, table: str) -> str:
    """Derive the id of a parent from the id of the row that needs it; the first digits say whose it is."""
    digest = hashlib.sha256(f"{anchor}/{table}".encode()).hexdigest()
    return str(uuid.UUID(f"{anchor[:8]}{anchor[9:13]}8{digest[:3]}8{digest[3:18]}"))


def key_of(column: Column, anchor: str, table: str) -> Any:
    """Return the derived id in the type of the parent's key."""
    found = derived(anchor, table)
    # From the digits that a hash has made; the first ones are the same for all of a run.
    number = int(found.replace("-", "")[16:], 16)
    bits = {"bigint": 62, "integer": 30, "smallint": 14}
    return number % 2 ** bits[column.type] if column.type in bits else found


def complete(catalogue: Catalogue, made: Sequence[tuple[str, Row]]) -> list[tuple[str, Row, bool]]:
    """Complete rows and put their parents before them.

    Args:
        catalogue: what the target's tables look like.
        made: pairs of a table and a row as the contract knows it.

    Returns:
        Full table name, row, and whether it may be there already (a parent that several rows share).
    """
    work = _Completing(catalogue)
    for name, row in made:
        table = full_name(name)
        work.add(table, row, 0)
        if table == PROFILES:
            for parent, reference in catalogue.of_members.items():
                work.add_parent(parent, row["user_id"], {reference.column: row["user_id"]}, 0)
    return work.rows


class _Completing:
    """Collects the completed rows of one insert."""

    def __init__(self, catalogue: Catalogue):
        self.catalogue = catalogue
        self.rows: list[tuple[str, Row, bool]] = []
        self._there: set[tuple[str, str]] = set()

    def add(self, name: str, row: Row, depth: int, anchor: str = "") -> None:
        """Add a row of the contract, or with an anchor a parent of the row that has this id."""
        table = self.catalogue.tables[name]
        row = {self.catalogue.called.get((name, column), column): value for column, value in row.items()}
        row = {
            column: _short_enough(value, table.columns[column])
            for column, value in row.items()
            if column in table.columns
        }
        row = {**self._configured(table, row), **row}
        shared = anchor != ""
        # What a row of a user who is not ours needs is derived from the row's own id, so that it is known as ours.
        owner = row.get("user_id") if row.get("user_id") not in self.catalogue.users_given else None
        anchor = anchor or str(owner or row.get("id") or row.get("user_id") or row["caller"])
        for reference in table.foreign:
            self._refer(table, reference, row, anchor, depth)
        for column in table.columns.values():
            if column.required and column.name not in row:
                row[column.name] = value_of(table, column, anchor)
        self.rows.append((name, row, shared))

    def add_parent(self, name: str, anchor: str, row: Row, depth: int) -> None:
        """Add a parent's row, once."""
        table = self.catalogue.tables[name]
        if depth > DEEPEST:
            raise SuiteError(f"{name}: its rows need others in a circle; the suite cannot make them.")
        if len(table.key) == 1 and table.key[0] not in row:
            row = {table.key[0]: key_of(table.columns[table.key[0]], anchor, name), **row}
        mark = (name, str(sorted(row.items(), key=str)))
        if mark not in self._there:
            self._there.add(mark)
            self.add(name, row, depth + 1, anchor)

    def _refer(self, table: Table, reference: Reference, row: Row, anchor: str, depth: int) -> None:
        """Make sure that what a column refers to is there."""
        column, parent = table.columns[reference.column], reference.table
        given = row.get(reference.column)
        if parent == table.name:
            return
        if parent not in self.catalogue.of_others:
            if given is None and column.required:
                row[reference.column] = self._somebody(parent, row, anchor, depth)
            return
        if given is None and not column.required:
            return
        if str(given) in self.catalogue.users_given:
            return  # a user who is there already, and not ours to make
        if parent in self.catalogue.of_members and given is None:
            of_whom = self.catalogue.of_members[parent].column
            owner = str(row.get("user_id") or anchor)
            if owner in self.catalogue.users_given:
                row[reference.column] = self._given(parent, owner)
                return
            wanted = self.catalogue.tables[parent].columns[reference.key]
            row[reference.column] = key_of(wanted, owner, parent)
            self.add_parent(parent, owner, {reference.key: row[reference.column], of_whom: owner}, depth)
            return
        if given is None:
            row[reference.column] = key_of(self.catalogue.tables[parent].columns[reference.key], anchor, parent)
        self.add_parent(parent, anchor, {reference.key: row[reference.column]}, depth)

    def _given(self, parent: str, user_id: str) -> Any:
        if (parent, user_id) not in self.catalogue.parents_given:
            words = (
                f"the user {user_id} that the environment gives has no row of {parent}, which deposits or bookings need"
            )
            raise SuiteError(f"{words}; make one.")
        return self.catalogue.parents_given[parent, user_id]

    def _somebody(self, parent: str, row: Row, anchor: str, depth: int) -> Any:
        """Find a row of the contract to refer to: the row's own member, or for a class a trainer of its own."""
        if parent == PROFILES and row.get("user_id"):
            return row["user_id"]
        if parent != PROFILES:
            raise SuiteError(
                f"a row needs one of {parent} that the suite does not know; see `values` of the environment."
            )
        person = derived(anchor, parent)
        self.add_parent(parent, anchor, {"user_id": person}, depth)
        return person

    def _configured(self, table: Table, row: Row) -> Row:
        said = self.catalogue.column_values.get(table.name, {})
        unknown = [column for column in said if column not in table.columns]
        if unknown:
            raise SuiteError(f"values: the table {table.name} has no column {', '.join(unknown)}.")
        return {column: _spoken(value, table.columns[column], row) for column, value in said.items()}


def _short_enough(value: Any, column: Column) -> Any:
    """Shorten a text to what its column holds; an address stays one, and stays the only one of its kind."""
    if not isinstance(value, str) or not column.length or len(value) <= column.length:
        return value
    if "@" in value:
        return f"{hashlib.sha256(value.encode()).hexdigest()[:12]}@example.test"[-column.length :]
    return value[: column.length]


def _spoken(value: Any, column: Column, row: Row) -> Any:
    """Turn what the environment says into a value: "+30d" is a day from today, {id} the row's own."""
    if isinstance(value, str) and (match := RELATIVE.fullmatch(value)):
        return _moment(column, timedelta(days=int(match[1])))
    if isinstance(value, str) and "{" in value:
        return value.format(**row)
    return json.dumps(value) if isinstance(value, dict | list) else value


def _moment(column: Column, distance: timedelta) -> date | datetime | time:
    moment = datetime.now(UTC) + distance
    return moment.date() if column.type == "date" else moment


def value_of(table: Table, column: Column, anchor: str) -> Any:
    """Make a value for a column that needs one, by its type, its name and what a CHECK allows.

    Raises:
        SuiteError: when the suite knows no value of that type.
    """
    kind, name = column.type, column.name
    words = table.labels(name)
    if words:
        return next((word for word in GOOD_WORDS if word in words), words[0])
    if kind in ("text", "character varying", "character", "citext"):
        text = f"{anchor}@acceptance.example.test" if "mail" in name else f"acceptance {name} {anchor}"
        return text[-column.length :] if column.length else text
    if kind == "uuid":
        return derived(anchor, f"{table.name}.{name}")
    if kind in ("integer", "bigint", "smallint", "numeric", "real", "double precision", "money"):
        return 1
    if kind == "boolean":
        return not re.search(r"delete|block|cancel|ban|archiv", name)
    if kind == "date" or kind.startswith("timestamp"):
        days = 365 if LATER.search(name) else -60 if EARLIER.search(name) else 0
        return _moment(column, timedelta(days=days))
    if kind.startswith("time"):
        return time(9)
    if kind in ("json", "jsonb"):
        return "{}"
    if kind == "interval":
        return timedelta(hours=1)
    if kind.endswith("[]"):
        return []
    if kind == "inet":
        return "192.0.2.1"
    if kind == "bytea":
        return b""
    words_of_help = f"say one in data/environments.yaml: values: {{{table.name}: {{{name}: ...}}}}"
    raise SuiteError(
        f"{table.name}.{name}: needs a value of the type {kind}, and the suite knows none; {words_of_help}."
    )


def parents_ids(catalogue: Catalogue, anchors: Sequence[str]) -> Iterator[str]:
    """List the ids that parents of these rows may have."""
    for table in (*catalogue.parents_of_rows, PROFILES):
        for anchor in anchors:
            yield derived(anchor, table)


def parents_numbers(catalogue: Catalogue, anchors: Sequence[str]) -> Iterator[int]:
    """List the ids that parents of these rows may have where ids are numbers."""
    for table in catalogue.parents_of_rows:
        key = number_key(catalogue.tables[table])
        if key is not None:
            for anchor in anchors:
                yield key_of(key, anchor, table)


def number_key(table: Table) -> Column | None:
    """Return the key of a table when it is one number."""
    key = table.columns[table.key[0]] if len(table.key) == 1 else None
    return key if key is not None and key.type in ("bigint", "integer", "smallint") else None
