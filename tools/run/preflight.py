"""Looks whether a system can be tested at all, before anything is written."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import contract, environment, rows
from acceptance.client import look, open_session, token
from acceptance.environment import FILE, Environment, Target
from acceptance.errors import SuiteError
from acceptance.pooler import check_session

SECONDS = 5


def writable(name: str, sql: Sequence[Path] = ()) -> Environment:
    """Load an environment that may be written to.

    Args:
        name: its name in ``data/environments.yaml``.
        sql: SQL files in the place of those that it names.

    Raises:
        SuiteError: when there is none of that name, or it may not be written to.
    """
    chosen = environment.load(name, sql)
    environment.check_writable(chosen)
    return chosen


@contextmanager
def connected(target: Target, *, session: bool = True) -> Iterator[Connection]:
    """Open a connection to the target's database, in autocommit, and close it afterwards.

    Where nothing may be written, the server itself sees to it: every transaction is read-only.

    Args:
        target: the system.
        session: False for who needs no more than one transaction, which any connection pooler gives; it must make it
            read-only itself.

    Raises:
        SuiteError: when the database does not let us in; the message never carries the password.
    """
    place = f"{FILE}: {target.environment.name}.database_url"
    try:
        if session:
            check_session(target)
        connection = psycopg2.connect(target.database_url, connect_timeout=SECONDS)
    except psycopg2.OperationalError as error:
        raise SuiteError(f"{place}: the database does not let us in: {_first_line(error)}.") from None
    except psycopg2.ProgrammingError:
        raise SuiteError(f"{place}: is not a PostgreSQL URL (postgresql://user:password@host:port/name).") from None
    if session:
        connection.set_session(readonly=target.environment.only_read, autocommit=True)
    try:
        yield connection
    finally:
        connection.close()


def check_database(target: Target) -> str:
    """Look whether the database has what the suite cannot do without, and say which server it is."""
    with connected(target) as connection:
        catalogue = rows.read_catalogue(connection)
        if not target.environment.foreign and rows.OCCUPANCY not in catalogue:
            raise SuiteError(f"the database lacks {rows.OCCUPANCY} in schema public; the suite cannot test without.")
        return f"PostgreSQL {connection.info.parameter_status('server_version')} with every table of the contract"


def check_api(target: Target) -> str:
    """Look whether the API answers and takes our tokens, and say so."""
    name, address = target.environment.name, target.api_url
    looked_at = "pilates_schedule_slots" if target.environment.foreign else rows.OCCUPANCY
    headers = {"Authorization": f"Bearer {token(target, str(uuid.uuid4()))}"}
    with open_session(target) as session:
        answer = look(session, target, f"/{looked_at}?limit=1", headers=headers, timeout=SECONDS)
    if answer.status_code in (401, 403) and not target.api_key and "key" in answer.text.lower():
        words = f"the API wants a key ({answer.status_code}: {answer.text[:200]})"
        raise SuiteError(f"{FILE}: {name}.api_key: {words}; say the project's own.")
    if answer.status_code in (401, 403):
        words = f"the API does not take our tokens ({answer.status_code}: {answer.text[:200]})"
        raise SuiteError(f"{FILE}: {name}.jwt_secret: {words}; set the project's own secret.")
    if not answer.ok:
        words = f"GET {address}/{looked_at} answers {answer.status_code}: {answer.text[:200]}"
        raise SuiteError(f"{FILE}: {name}.api_url: {words}; is this the PostgREST address?")
    return f"{address} answers and takes our tokens"


CHECKS: tuple[Callable[[Target], str], ...] = (check_database, check_api)


def check(target: Target) -> None:
    """Make every check.

    Raises:
        SuiteError: the first one that fails.
    """
    for one in CHECKS:
        one(target)


def found(target: Target) -> list[str]:
    """Say how a system that is not our own studio was understood, and what of it is not proven; nothing of ours."""
    if not target.environment.foreign:
        return []
    with connected(target) as connection:
        catalogue = rows.read_catalogue(connection)
        catalogue.parents = target.environment.wording.parents
        return [f"  {line}" for line in contract.look(connection, target.environment, catalogue).found]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
