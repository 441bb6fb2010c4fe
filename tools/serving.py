"""Keeps the embedded studio running for a person who wants to look at it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from acceptance import environment
from acceptance.client import TOKEN_SECONDS, token
from acceptance.errors import SuiteError
from acceptance.rows import OCCUPANCY


def until_interrupted(overlays: Sequence[Path], name: str = "embedded", sql: Sequence[Path] = ()) -> None:
    """Start the studio or join the running one, say how to reach it, and hold it until Ctrl-C.

    Args:
        overlays: SQL files applied last.
        name: the environment; it is an embedded one.
        sql: SQL files of a system that takes the place of the studio's.

    Raises:
        SuiteError: when it does not start, or ends by itself.
    """
    with closing(environment.connect(environment.load(name, sql), overlays)) as target:
        studio = target.lease
        if studio is None:
            raise SuiteError("the environment embedded has no studio of its own to serve.")
        print(f"API:         {studio.api_url}")
        print(f"Database:    psql '{studio.database_url}'")
        print(f"JWT secret:  {studio.jwt_secret}   (HS256; claims: role authenticated, sub a user_id, exp)")
        print(f"Token:       {token(target, None, 'service_role')}   (service_role, {TOKEN_SECONDS // 60} minutes)")
        print(f"Server log:  {studio.server_log}")
        table = "pilates_schedule_slots" if sql else OCCUPANCY
        print(f"For example: curl -H 'Authorization: Bearer TOKEN' {studio.api_url}/{table}")
        print("Ctrl-C ends it.", flush=True)
        try:
            studio.wait()
        except KeyboardInterrupt:
            print("\nGiven up; the studio stops unless somebody else uses it.")
            return
        raise SuiteError(f"the studio has ended by itself; see {studio.server_log}.")
