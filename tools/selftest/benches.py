"""A bench on a target, as a worker has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import requests

from acceptance.bench import Bench, open_database
from acceptance.environment import Target


@contextmanager
def bench_on(target: Target, folder: Path) -> Iterator[Bench]:
    """Open a bench with a connection and a session of its own, and close them.

    Args:
        target: stays open.
        folder: for what the bench writes.
    """
    with closing(open_database(target)) as connection, requests.Session() as session:
        session.trust_env = False
        with closing(Bench(target, connection, session, folder)) as bench:
            yield bench
