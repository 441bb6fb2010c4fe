"""Kills the API and the database of a private studio, and waits until they are back.

What is killed gets SIGKILL: it cannot tidy up. The studio's PostgreSQL runs without fsync, so this proves what the
death of processes does, not what the loss of power does: what a process handed to the kernel is never lost here.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

import psycopg2
import requests

from acceptance import embedded
from acceptance.bench import Bench, open_database
from acceptance.errors import SuiteError

PATIENCE = 60  # seconds until something that must come is given up
POLL_SECONDS = 0.005
GATEWAY_ROLE = "authenticator"


class Victim(StrEnum):
    """What is killed, in a scenario's words."""

    DATABASE = "the database"
    PROCESS = "one process of the database"
    API = "the API"
    BOTH = "both"


def lease(bench: Bench) -> embedded.Studio:
    """Return the lease on a studio that may be killed.

    Raises:
        SuiteError: when others use the studio too.
    """
    studio = bench.target.lease
    if studio is None or not studio.private:
        raise SuiteError(
            "only a studio of its own may be killed; the suite needs `Suite Setup    A studio of its own`."
        )
    return studio


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        SuiteError: when it does not come.
    """
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise SuiteError(f"waited {PATIENCE} s in vain: {what}.")
        time.sleep(POLL_SECONDS)


def kill(bench: Bench, victim: Victim, chance: random.Random) -> None:
    """Kill something of the studio, and return when it answers again and our own connection is open again."""
    studio = lease(bench)
    gateway, server = studio.gateway_pid, studio.postgres_pid
    if victim is Victim.PROCESS:
        os.kill(_busy_process(bench, chance), signal.SIGKILL)
    if victim in (Victim.DATABASE, Victim.BOTH):
        os.kill(server, signal.SIGKILL)
    if victim in (Victim.API, Victim.BOTH):
        os.kill(gateway, signal.SIGKILL)
    if victim is Victim.API:
        # A commit that was under way may still come through; nothing is judged before its connection has ended.
        killed_at = bench.now()
        wait_for(lambda: not _connected_since(bench, killed_at), "for the killed API's connections to end")
    come_back(bench, gateway if victim in (Victim.API, Victim.BOTH) else 0, database=victim is not Victim.API)


def come_back(bench: Bench, gateway: int, *, database: bool) -> None:
    """Wait until what was killed is there again.

    Args:
        bench: the private studio's.
        gateway: the process id of the API that was killed, or 0.
        database: whether the database goes down as well.
    """
    studio = lease(bench)
    if database:
        wait_for(lambda: not _alive(bench), "for the database to go down")
        reconnect(bench)
    # Asked at once, it answers the moment it is there; the supervisor looks only now and then.
    wait_for(lambda: _ready(bench), "for the API to come back")

    def renewed() -> bool:
        studio.refresh(PATIENCE)
        return gateway != studio.gateway_pid

    wait_for(renewed, "for the supervisor to know the new API")


def heal(bench: Bench) -> None:
    """Make a private studio fit for the next case, whatever became of the last one."""
    if not _alive(bench):
        reconnect(bench)
    lease(bench).refresh(PATIENCE)


def _ready(bench: Bench) -> bool:
    try:
        return bench.session.get(f"{bench.target.api_url}/ready", timeout=PATIENCE).ok
    except requests.RequestException:
        return False


def reconnect(bench: Bench) -> None:
    """Open the bench's database connection again."""
    bench.connection.close()

    def opened() -> bool:
        try:
            bench.connection = open_database(bench.target)
        except psycopg2.OperationalError:
            return False
        return True

    wait_for(opened, "for the database to let us in again")


def _alive(bench: Bench) -> bool:
    try:
        with bench.connection.cursor() as cursor:
            cursor.execute("select 1")
    except psycopg2.Error:  # a server that dies is not always told apart from one that refuses
        return False
    return True


def _connected_since(bench: Bench, instant: datetime) -> int:
    """Count the API's connections that were there at an instant of the database's clock."""
    with bench.connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where usename = %s and backend_start <= %s", (GATEWAY_ROLE, instant)
        )
        [(number,)] = cursor.fetchall()
    count: int = number
    return count


def _busy_process(bench: Bench, chance: random.Random) -> int:
    """Choose a process of the database that is in the middle of a request."""
    found: list[int] = []

    def look() -> bool:
        with bench.connection.cursor() as cursor:
            cursor.execute(
                "select pid from pg_stat_activity where usename = %s and xact_start is not null order by pid",
                (GATEWAY_ROLE,),
            )
            found[:] = [pid for (pid,) in cursor.fetchall()]
        return bool(found)

    wait_for(look, "for a request that is being worked on")
    return chance.choice(found)
