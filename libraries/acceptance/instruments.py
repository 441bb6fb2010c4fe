"""The fault points inside the target's database: installed, planned, watched and removed.

``data/instruments.sql`` puts triggers on the contract's tables. A planned call that reaches its next stop waits at a
*gate*, an advisory lock that this side holds. Whoever watches sees it in ``pg_locks``, notes it and opens the gate;
only then does the call go on, fail or die as planned. So what is said to have fired was seen, and a test that dies
leaves open gates and no fault.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - as above

from acceptance.datafiles import DATA
from acceptance.errors import SuiteError

FILE = DATA / "instruments.sql"
GATES = 0x0ACCE97A  # first key of the gates' advisory locks, the second is the stop's id
USERS = 0x0ACCE97B  # first key of the lock that every process with instruments shares
LOCK_TIMEOUT = "5s"
MOMENTS = ("before", "after", "commit")
MARK = "acceptance instruments"  # begins the comment of a schema that is ours
TABLES = {
    "pilates_deposits": "deposit",
    "pilates_bookings": "booking",
    "pilates_schedule_slots": "slot",
    "pilates_audit_log": "audit",
    "pilates_calendar_outbox": "calendar",
}
POINT = re.compile(
    rf"(?:{'|'.join(TABLES.values())})\.(?:insert|update|delete|inserted|updated|deleted)|commit|first change",
)
SQLSTATE = re.compile(r"[0-9A-Z]{5}")
ACTIONS = ("wait", "raise", "kill", "delay")


@dataclass(frozen=True)
class Stop:
    """A place where a planned call stops, and what happens to it there.

    Args:
        actor: sent as X-Actor.
        point: for example ``deposit.update`` (before), ``booking.inserted`` (after), ``commit`` or ``first change``.
        action: ``wait`` only, or afterwards ``raise``, ``kill`` or ``delay``.
        argument: a SQLSTATE to raise, or milliseconds of delay.
    """

    actor: str
    point: str
    action: str = "wait"
    argument: str | None = None

    def __post_init__(self) -> None:
        if not POINT.fullmatch(self.point):
            known = "deposit, booking, slot, audit or calendar, a dot, and insert, inserted, update, updated ..."
            raise SuiteError(f"there is no fault point {self.point!r}; say {known}, 'commit' or 'first change'.")
        if self.action not in ACTIONS:
            raise SuiteError(f"a fault point cannot {self.action!r}; known: {', '.join(ACTIONS)}.")
        if self.action == "raise" and not SQLSTATE.fullmatch(self.argument or ""):
            raise SuiteError(f"{self.argument!r} is no SQLSTATE; say for example 40001.")
        if self.action == "delay" and not (self.argument or "").isdigit():
            raise SuiteError(f"a delay takes milliseconds, not {self.argument!r}.")


@dataclass(frozen=True)
class Waiter:
    """A server process that waits for a lock: at the gate of a stop, or blocked by others' process ids."""

    pid: int
    gate: int | None
    blockers: frozenset[int]
    query: str


@cache
def version() -> str:
    """Return what the schema's comment says when the instruments in it are these."""
    return f"{MARK} {hashlib.sha256(FILE.read_bytes()).hexdigest()[:12]}"


def installed(connection: Connection) -> str | None:
    """Return the version in the database, or None where the instruments are not."""
    with connection.cursor() as cursor:
        cursor.execute("select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = 'acceptance'")
        found = cursor.fetchone()
    return None if found is None else str(found[0])


def install(connection: Connection) -> None:
    """Install the instruments, or renew those of another version, and hold them as in use by this session.

    Args:
        connection: in autocommit; a role that owns the contract's tables.

    Raises:
        SuiteError: when the role may not, or a foreign schema has the name.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock_shared(%s, 0)", (USERS,))
        if installed(connection) == version():
            return
        statements = FILE.read_text().replace("{gates}", str(GATES))
        try:
            cursor.execute("select pg_advisory_lock(%s, 1)", (USERS,))  # processes that come at once take turns
            found = installed(connection)
            if found is not None and not found.startswith(MARK):
                raise SuiteError("the database has a schema 'acceptance' that is not ours; the suite leaves it alone.")
            if found != version():
                if found:
                    _drop(cursor)
                cursor.execute(f"begin; {statements}; comment on schema acceptance is '{MARK}, unfinished'; commit")
                for table in _tables_there(cursor):
                    _alone_on(cursor, f"select acceptance.watch('{table}', '{TABLES[table]}')")
                cursor.execute(f"comment on schema acceptance is '{version()}'")
        except psycopg2.Error as error:
            cursor.execute("rollback")
            cursor.execute("select pg_advisory_unlock_shared(%s, 0)", (USERS,))
            raise SuiteError(f"the instruments cannot be installed: {str(error).strip()}") from None
        finally:
            cursor.execute("select pg_advisory_unlock(%s, 1)", (USERS,))


def _drop(cursor: Cursor) -> None:
    """Remove the triggers from one table after the other, then the schema."""
    for table in _tables_there(cursor):
        triggers = (f"drop trigger if exists acceptance_{when} on public.{table}" for when in MOMENTS)
        _alone_on(cursor, "; ".join(triggers))
    cursor.execute("set client_min_messages = warning; drop schema acceptance cascade; reset client_min_messages")


def _tables_there(cursor: Cursor) -> list[str]:
    """List the tables with fault points that the target has."""
    cursor.execute("select name from unnest(%s) name where to_regclass('public.' || name) is not null", (list(TABLES),))
    return [name for (name,) in cursor.fetchall()]


def _alone_on(cursor: Cursor, statements: str) -> None:
    """Change one table in a transaction of its own, so that no other lock is held while its lock is waited for.

    Raises:
        psycopg2.errors.LockNotAvailable: when somebody keeps the table locked.
    """
    settings = f"set local lock_timeout = '{LOCK_TIMEOUT}'; set local client_min_messages = warning"
    cursor.execute(f"begin; {settings}; {statements}; commit")


def release(connection: Connection) -> None:
    """Say that this session does not use the instruments any more."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock_shared(%s, 0)", (USERS,))


def remove(connection: Connection) -> bool:
    """Remove the instruments, unless somebody else uses them just now; removing what is not there is fine.

    Returns:
        Whether they are gone.

    Raises:
        SuiteError: when a table stays locked by others.
    """
    found = installed(connection)
    if found is None or not found.startswith(MARK):
        return True
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, 0)", (USERS,))
        [(got,)] = cursor.fetchall()
        if not got:
            return False
        try:
            _drop(cursor)
        except psycopg2.Error as error:
            cursor.execute("rollback")
            raise SuiteError(f"the instruments cannot be removed: {str(error).strip()}; run clean again.") from None
        finally:
            cursor.execute("select pg_advisory_unlock(%s, 0)", (USERS,))
    return True


def shut(connection: Connection, trace: str, stops: Sequence[Stop]) -> list[int]:
    """Plan the stops of a trace and shut their gates.

    Returns:
        The stops' ids in the order given.
    """
    if not stops:
        return []
    columns = [[getattr(stop, name) for stop in stops] for name in ("actor", "point", "action", "argument")]
    with connection.cursor() as cursor:
        # The locks are the session's: shut before the rows can be seen, since the insert commits last.
        cursor.execute(
            "with stops as (insert into acceptance.plan (trace, actor, point, action, argument)"
            " select %s, a, b, c, d from unnest(%s, %s, %s, %s::text[]) with ordinality as stop (a, b, c, d, n)"
            " order by stop.n returning id)"
            " select id, pg_advisory_lock(%s, id) from stops order by id",
            (trace, *columns, GATES),
        )
        return [row[0] for row in cursor.fetchall()]


def open_gates(connection: Connection, gates: Sequence[int]) -> None:
    """Let through whoever waits at these gates, and whoever comes later: the stops are struck out."""
    with connection.cursor() as cursor:
        # Struck out and committed first: a retry must not find the stop that its first attempt has passed.
        cursor.execute("delete from acceptance.plan where id = any(%s)", (list(gates),))
        cursor.execute("select pg_advisory_unlock(%s, gate) from unnest(%s) gate", (GATES, list(gates)))


def waiting(connection: Connection) -> list[Waiter]:
    """Read which server processes of this database wait for a lock, and why."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select pid, gate, case when gate is null then pg_blocking_pids(pid) else '{}' end, query"
            " from (select pid, case when locktype = 'advisory' and classid::bigint = %s then objid::bigint end as gate"
            " from pg_locks where not granted and pid <> pg_backend_pid()) as waiting"
            # Another database of the server has gates of the same numbers.
            " join lateral (select datid, query from pg_stat_get_activity(pid)) as activity"
            " on datid = (select oid from pg_database where datname = current_database())",
            (GATES,),
        )
        return [Waiter(pid, gate, frozenset(pids), query or "") for pid, gate, pids, query in cursor.fetchall()]
