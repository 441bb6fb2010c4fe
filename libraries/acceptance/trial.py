"""Tries, before a run, whether the suite can make and remove one row of every kind; all of it is rolled back.

Nothing stays, but the numbers that sequences have given out in the meantime. Where nothing may be written, nothing is
tried.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import rows
from acceptance.catalogue import Catalogue
from acceptance.contract import Contract
from acceptance.environment import FILE, Environment
from acceptance.errors import SuiteError
from acceptance.model import Status
from acceptance.times import start_of

REMOVED = "removed"
PATIENCE = "set local lock_timeout = '5s'; set local statement_timeout = '20s'"
CONSTRAINT = """
select pg_get_constraintdef(k.oid), array(select attname::text from unnest(k.conkey) n
       join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n)
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace s on s.oid = c.relnamespace
where k.conname = %s and c.relname = %s and s.nspname = %s
"""


def try_rows(connection: Connection, environment: Environment, catalogue: Catalogue, contract: Contract) -> None:
    """Make two rows of every kind that a case has, and remove them, in a transaction that is rolled back.

    Two, since a column may have to be unique.

    Args:
        connection: in autocommit, which it is again afterwards.
        environment: the target's.
        catalogue: with what the environment says of values and parents.
        contract: how the target says things.

    Raises:
        SuiteError: says which row cannot be made, and what to say in the environment.
    """
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            cursor.execute(PATIENCE)
        for kind, act in _kinds(connection, environment, catalogue, contract):
            try:
                act()
                with connection.cursor() as cursor:
                    cursor.execute("set constraints all immediate; set constraints all deferred")
            except (SuiteError, psycopg2.Error) as error:
                connection.rollback()
                raise _refused(connection, environment, kind, error) from None
    finally:
        connection.rollback()
        connection.autocommit = True


def _kinds(
    connection: Connection, environment: Environment, catalogue: Catalogue, contract: Contract
) -> list[tuple[str, Callable[[], None]]]:
    """List what is tried, in its order."""
    run, now = f"{uuid.uuid4().int % 0x10000:04x}", datetime.now(UTC)
    members, classes, deposits = ([rows.row_id(run, "trial", what, n) for n in (1, 2)] for what in "mcd")
    people = {f"a {role}": [rows.row_id(run, "trial", role, n) for n in (1, 2)] for role in _staff(contract)}
    start = start_of("tomorrow at 10:00", now, contract.zone or environment.zone)

    def insert(*made: tuple[str, rows.Row]) -> Callable[[], None]:
        return lambda: rows.insert(connection, catalogue, made)

    role, status = contract.role("user"), contract.status(Status.CONFIRMED)
    tried = [("a member", insert(*(rows.user(one, role, f"Acceptance {one}") for one in members)))]
    if not environment.users_given:
        for name, ids in people.items():
            theirs = contract.role(name.removeprefix("a "))
            tried.append((name, insert(*(rows.user(one, theirs, f"Acceptance {name}") for one in ids))))
    pairs = list(zip(members, classes, deposits, strict=True))
    tried.append(("a class", insert(*(rows.slot(one, start, 4) for one in classes))))
    tried.append(("a deposit", insert(*(rows.deposit(one, who, 2, 1, begins=now, ends=None) for who, _, one in pairs))))
    made = [rows.booking(rows.row_id(run, "trial", "b", n), *pair, status) for n, pair in enumerate(pairs)]
    tried.append(("a booking", insert(*made)))
    everybody = [*members, *(one for ids in people.values() for one in ids)]
    tried.append((REMOVED, lambda: rows.remove_case(connection, catalogue, everybody, classes)))
    return tried


def _staff(contract: Contract) -> list[str]:
    roles = ("trainer", "secretary", "admin")
    return [role for role in roles if contract.reference or role in contract.roles]


def _refused(connection: Connection, environment: Environment, kind: str, error: Exception) -> SuiteError:
    """Say in one sentence what cannot be made, why, and what to do about it."""
    place = f"{FILE}: {environment.name}"
    cause = error.__cause__ if isinstance(error, SuiteError) else error
    if not isinstance(cause, psycopg2.Error):
        return SuiteError(f"{place}: the suite cannot make {kind}: {error}")
    diag = cause.diag
    words = diag.message_primary or str(cause).strip()
    if kind == REMOVED:
        return SuiteError(f"{place}: the suite cannot remove the rows of a case again: {words}.")
    if isinstance(cause, psycopg2.errors.InsufficientPrivilege):
        return SuiteError(f"{place}.database_url: its role may not make {kind}: {words}; name one that may.")
    table, named = diag.table_name or "", ()
    if diag.constraint_name:
        with connection.cursor() as cursor:
            cursor.execute(CONSTRAINT, (diag.constraint_name, table, diag.schema_name))
            definition, named = cursor.fetchone() or ("", ())
        connection.rollback()
        if definition:
            words = f"{table}.{' and '.join(named)} must satisfy {definition}"
    if diag.schema_name and diag.schema_name != "public":
        table = f"{diag.schema_name}.{table}"
    columns = [*named] or [diag.column_name or ""]
    unique = " that differs from row to row, for example with {id} in it" if diag.sqlstate == "23505" else ""
    said = f"say a value{unique}: values: {{{table}: {{{', '.join(f'{name}: ...' for name in columns)}}}}}"
    if not table or not columns[0]:
        said = "if a column's value helps, say it: values: {table: {column: ...}}"
    return SuiteError(f"{place}: the suite cannot make {kind}: {words}; {said}.")
