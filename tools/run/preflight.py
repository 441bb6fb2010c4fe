"""Looks whether a system can be tested at all, before anything is written."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import contract, environment, people, rows, trial
from acceptance.catalogue import Catalogue, full_name
from acceptance.client import look, open_session, token
from acceptance.contract import Contract
from acceptance.environment import FILE, Environment, Target
from acceptance.errors import SuiteError
from acceptance.pooler import check_session
from tools.run import shape

SECONDS = 5
PATIENCE = 1.0  # seconds, for a run that is just ending
OF_POSTGREST = re.compile(r"\bPGRST\d+|\b42P01\b")
API_KEY = re.compile(r"api.?key", re.IGNORECASE)


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
    where, help_with = f"{FILE}: {name}.jwt_secret", "set the project's own secret"
    tokens = {where: ""}
    if target.environment.users_given:
        # Before anybody is asked to sign in: what the certificate and the key are worth is said first.
        with open_session(target) as session:
            look(session, target, headers={}, timeout=SECONDS)
        tokens = {person.place: person.token for person in people.of(target).all.values()}
        help_with = "get one of this project"
    for where, given in tokens.items():
        headers = {"Authorization": f"Bearer {given or token(target, str(uuid.uuid4()))}"}
        with open_session(target) as session:
            answer = look(session, target, f"/{looked_at}?limit=1", headers=headers, timeout=SECONDS)
        said = target.without_secrets(answer.text[:200])
        if answer.status_code >= 400 and target.lease is not None:
            raise SuiteError(f"the embedded studio's GET /{looked_at} answers {answer.status_code}: {said}.")
        _judge(answer.status_code, said, f"{FILE}: {name}", f"{address}/{looked_at}", where, help_with, target.api_key)
    return f"{address} answers and takes our tokens"


def _judge(status: int, said: str, place: str, address: str, where: str, help_with: str, api_key: str) -> None:
    """Say in one sentence what an answer other than rows means."""
    if status in (401, 403) and not api_key and API_KEY.search(said):
        raise SuiteError(f"{place}.api_key: the API wants a key ({status}: {said}); say the project's own.")
    if status in (401, 403):
        raise SuiteError(f"{where}: the API does not take our tokens ({status}: {said}); {help_with}.")
    if status >= 400:
        words = f"GET {address} answers {status}: {said}"
        # Its own codes: it is PostgREST, and does not have the table.
        help_with = (
            "is the table in a schema that it shows" if OF_POSTGREST.search(said) else "is this the PostgREST address"
        )
        raise SuiteError(f"{place}.api_url: {words}; {help_with}?")


def check_people(target: Target) -> str:
    """Look whether the users that the entry gives can be the actors of a case, and say who they are."""
    given = people.of(target)
    with connected(target) as connection:
        catalogue = rows.read_catalogue(connection)
        roles = contract.look(connection, target.environment, catalogue).roles
        if not target.environment.only_read:
            people.claim(connection, given, PATIENCE)
        people.check(connection, given, dict(roles))
        if not target.environment.only_read:
            people.give_back(connection, given)
    return f"the users given are {', '.join(given.all)}; cases that need more people are not proven"


def understood(connection: Connection, chosen: Environment) -> tuple[Catalogue, Contract]:
    """Read what a target's tables look like, and how it says what the contract says."""
    catalogue = rows.read_catalogue(connection)
    catalogue.column_values = {full_name(table): dict(said) for table, said in chosen.wording.values.items()}
    catalogue.parents = chosen.wording.parents
    return catalogue, contract.look(connection, chosen, catalogue)


def check_rows(target: Target) -> str:
    """Try, in a transaction that is rolled back, whether the rows of a case can be made; say whether it was tried."""
    chosen = target.environment
    try:
        environment.check_writable(chosen)
    except SuiteError as error:
        return f"whether rows can be made was not tried: {error}"
    with connected(target) as connection:
        catalogue, found = understood(connection, chosen)
        if chosen.users_given:
            catalogue.users_given = frozenset(people.of(target).ids)
        trial.try_rows(connection, chosen, catalogue, found)
    return "rows of every kind can be made and removed: tried, and rolled back"


def check_instruments(target: Target) -> str:
    """Look whether what the entry says of instruments can be: a run would stop at the first one otherwise."""
    with connected(target) as connection:
        may, words = shape.may_install(connection, target.environment)
    if target.environment.instruments and not may and not target.environment.only_read:
        raise SuiteError(f"{FILE}: {target.environment.name}.instruments: {words.removeprefix('no: ')}.")
    return f"instruments: {words}"


CHECKS: tuple[Callable[[Target], str], ...] = (check_database, check_api)


def checks_of(target: Target) -> tuple[Callable[[Target], str], ...]:
    """List the checks that a target needs."""
    chosen = target.environment
    checks = (*CHECKS, check_people) if chosen.users_given else CHECKS
    return (*checks, check_rows, check_instruments) if chosen.foreign else checks


def check(target: Target) -> None:
    """Make every check.

    Raises:
        SuiteError: the first one that fails.
    """
    for one in checks_of(target):
        one(target)


def found(target: Target) -> list[str]:
    """Say how a system that is not our own studio was understood, and what of it is not proven; nothing of ours."""
    if not target.environment.foreign:
        return []
    with connected(target) as connection:
        return [f"  {line}" for line in understood(connection, target.environment)[1].found]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
