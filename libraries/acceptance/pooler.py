"""Tells a connection pooler that hands its server connections from transaction to transaction.

The suite holds locks and settings for as long as it is connected: who has a case's gates shut, whose turn it is to let
deposits expire, that nothing may be written. Behind such a pooler they would be somebody else's a moment later.
"""

from __future__ import annotations

from contextlib import closing
from functools import cache

import psycopg2

from acceptance.environment import FILE, Target
from acceptance.errors import SuiteError

ROUNDS = 3
SECONDS = 10  # to be let in


def check_session(target: Target) -> None:
    """Look whether a connection of ours stays with one server process; nothing is set or written.

    Args:
        target: a system by URL; our own studio has no pooler, and is not asked.

    Raises:
        SuiteError: when it does not; says which URL to give instead.
        psycopg2.OperationalError: when the database does not let us in.
    """
    if target.lease is None and _is_handed_around(target.database_url):
        words = "leads to a connection pooler in transaction mode, where our locks and settings would be other people's"
        instead = "give the URL of the pooler's session mode or of the database itself (Supabase: port 5432, not 6543)"
        raise SuiteError(f"{FILE}: {target.environment.name}.database_url: {words}; {instead}.")


@cache
def _is_handed_around(database_url: str) -> bool:
    """Ask two connections in turn for their server process: one of each, or we are handed around.

    A pooler gives an idle server process to whoever asks next, so either both see the same one, or one sees several.
    """
    with (
        closing(psycopg2.connect(database_url, connect_timeout=SECONDS)) as one,
        closing(psycopg2.connect(database_url, connect_timeout=SECONDS)) as other,
    ):
        seen: tuple[set[int], set[int]] = (set(), set())
        for connection in (one, other):
            connection.autocommit = True
        for _ in range(ROUNDS):
            for connection, pids in zip((one, other), seen, strict=True):
                with connection.cursor() as cursor:
                    cursor.execute("select pg_backend_pid()")
                    [(pid,)] = cursor.fetchall()
                    pids.add(pid)
    return bool(seen[0] & seen[1]) or any(len(pids) > 1 for pids in seen)
