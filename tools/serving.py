"""Keeps the embedded studio running for a person who wants to look at it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from acceptance import environment
from acceptance.client import TOKEN_SECONDS, token
from acceptance.errors import SuiteError


def until_interrupted(overlays: Sequence[Path]) -> None:
    """Start the studio or join the running one, say how to reach it, and hold it until Ctrl-C.

    Raises:
        SuiteError: when it does not start, or ends by itself.
    """
    with closing(environment.connect(environment.load("embedded"), overlays)) as target:
        studio = target.lease
        if studio is None:
            raise SuiteError("the environment embedded has no studio of its own to serve.")
        print(f"API:         {studio.api_url}")
        print(f"Database:    psql '{studio.database_url}'")
        print(f"JWT secret:  {studio.jwt_secret}   (HS256; claims: role authenticated, sub a user_id, exp)")
        print(f"Token:       {token(target, None, 'service_role')}   (service_role, {TOKEN_SECONDS // 60} minutes)")
        print(f"Server log:  {studio.server_log}")
        print(f"For example: curl -H 'Authorization: Bearer TOKEN' {studio.api_url}/pilates_slots_with_occupancy")
        print("Ctrl-C ends it.", flush=True)
        try:
            studio.wait()
        except KeyboardInterrupt:
            print("\nGiven up; the studio stops unless somebody else uses it.")
            return
        raise SuiteError(f"the studio has ended by itself; see {studio.server_log}.")
