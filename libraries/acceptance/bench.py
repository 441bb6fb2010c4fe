"""What one process needs once: the target, a database connection, HTTP sessions, the staff and the evidence."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import psycopg2
import requests
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import contract, instruments, paid, people, rows
from acceptance.catalogue import Catalogue, full_name
from acceptance.client import Caller, Reply, token
from acceptance.datafiles import devices
from acceptance.environment import Environment, Target
from acceptance.evidence import Evidence
from acceptance.model import Operation
from acceptance.people import People
from acceptance.pooler import check_session

MOST_CONCURRENT = 64
STAFF_DEVICE = "web-chrome"


@dataclass
class Bench:
    """The tools of one process; every case of the process works with them.

    Args:
        target: the system under test.
        connection: a database role that writes and sees every row, in autocommit.
        session: the HTTP session of calls made one by one.
        folder: the run's folder for logs and snapshots.
    """

    target: Target
    connection: Connection
    session: requests.Session
    folder: Path
    run: str = ""
    catalogue: Catalogue = field(init=False)
    contract: contract.Contract = field(init=False)
    operations: frozenset[Operation] = field(init=False)
    evidence: Evidence = field(init=False)
    _sessions: list[requests.Session] = field(default_factory=list)
    _staff: dict[str, Caller] = field(default_factory=dict)
    _threads: ThreadPoolExecutor | None = None
    _instruments: bool = False

    def __post_init__(self) -> None:
        self.run = self.run or run_digits(str(uuid.uuid4()))
        with self.connection.cursor() as cursor:
            cursor.execute("set time zone 'UTC'")
        self.catalogue, self.contract = understand(self.connection, self.target.environment)
        self.operations = self.contract.operations
        if self.contract.zone:
            self.target.environment = replace(self.target.environment, zone=self.contract.zone)
        self.evidence = Evidence(self.folder)
        if self.target.environment.users_given:
            self._have_the_users_given()

    @property
    def users_given(self) -> People | None:
        """The users that the environment gives to be the actors; None where the suite makes its own."""
        return people.of(self.target) if self.target.environment.users_given else None

    def _have_the_users_given(self) -> None:
        given = people.of(self.target)
        people.claim(self.connection, given)
        people.check(self.connection, given, dict(self.contract.roles))
        self.catalogue.users_given = frozenset(given.ids)
        rows.read_parents_given(self.connection, self.catalogue)

    def use_instruments(self) -> None:
        """Install the instruments if need be, once per process.

        Raises:
            SuiteError: when the environment allows them and the database does not.
        """
        if not self._instruments:
            instruments.install(self.connection)
            self._instruments = True

    def now(self) -> datetime:
        """Return the database's present instant."""
        with self.connection.cursor() as cursor:
            cursor.execute("select clock_timestamp()")
            [(now,)] = cursor.fetchall()
        instant: datetime = now
        return instant

    def staff(self, role: str) -> Caller:
        """Return the process's own member of staff of a role, making the row on first use.

        Raises:
            NotProven: when the environment gives its users, and none of that role.
        """
        given = self.users_given
        if given is not None:
            device, zone = devices()[STAFF_DEVICE], self.target.environment.zone
            user_id = given.take(role).user_id
            return Caller(role, role, user_id, device, zone, token(self.target, user_id))
        if role not in self._staff:
            user_id = rows.row_id(self.run, "staff", uuid.uuid4(), role)
            row = rows.user(user_id, self.contract.role(role), f"Acceptance {role}")
            rows.insert(self.connection, self.catalogue, [row])
            device, zone = devices()[STAFF_DEVICE], self.target.environment.zone
            self._staff[role] = Caller(role, role, user_id, device, zone, token(self.target, user_id))
        return self._staff[role]

    def together(self, tasks: list[Callable[[requests.Session], Reply]]) -> list[Reply]:
        """Run tasks at once, each in a thread with its own HTTP session, and return their replies in order."""
        return [future.result() for future in [self.submit(task) for task in self.with_sessions(tasks)]]

    def submit(self, task: Callable[[], Reply]) -> Future[Reply]:
        """Start a task in a thread."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MOST_CONCURRENT, thread_name_prefix="actor")
        return self._threads.submit(task)

    def with_sessions(self, tasks: list[Callable[[requests.Session], Reply]]) -> list[Callable[[], Reply]]:
        """Give each task an HTTP session of its own; sessions are kept for later tasks."""
        while len(self._sessions) < len(tasks):
            session = requests.Session()
            session.trust_env = self.session.trust_env
            self._sessions.append(session)
        return [partial(task, session) for task, session in zip(tasks, self._sessions, strict=False)]

    def close(self) -> None:
        """Remove the staff's rows and close what this bench opened itself; leave no instruments with strangers."""
        if self._instruments:
            instruments.release(self.connection)
            if self.target.lease is None:
                instruments.remove(self.connection)
        rows.remove_case(self.connection, self.catalogue, [c.user_id for c in self._staff.values() if c.user_id], [])
        self._staff.clear()
        if self.target.environment.users_given:
            people.give_back(self.connection, people.of(self.target))
        for session in self._sessions:
            session.close()
        if self._threads is not None:
            self._threads.shutdown()
        self.evidence.close()


def open_database(target: Target) -> Connection:
    """Open a connection to the target's database, in autocommit, its times in UTC.

    Raises:
        psycopg2.OperationalError: when the database does not let us in.
        SuiteError: when a connection pooler would hand it around.
    """
    check_session(target)
    connection = psycopg2.connect(target.database_url)
    connection.set_session(readonly=target.environment.only_read, autocommit=True)
    with connection.cursor() as cursor:
        cursor.execute("set time zone 'UTC'")
    return connection


def understand(connection: Connection, environment: Environment) -> tuple[Catalogue, contract.Contract]:
    """Look what a target's tables are like, and how it says what the contract says.

    Args:
        connection: a role that reads the catalogue; one transaction will do.
        environment: what is known of the target.

    Raises:
        SuiteError: when it lacks what the suite cannot do without, or the environment names what is not there.
    """
    catalogue, wording = rows.read_catalogue(connection), environment.wording
    catalogue.column_values = {full_name(table): dict(said) for table, said in wording.values.items()}
    catalogue.parents = wording.parents
    found = contract.look(connection, environment, catalogue)
    if found.credited not in ("", paid.OURS):
        catalogue.called = {(paid.TABLE, paid.OURS): found.credited}
    return catalogue, found


def run_digits(name: str) -> str:
    """Derive a run's four hexadecimal digits, part of every id it makes, from the name of its folder."""
    return hashlib.sha256(name.encode()).hexdigest()[:4]
