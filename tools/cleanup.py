"""Removes what runs left behind: rows in a database, folders of old runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from acceptance import environment, instruments, rows
from acceptance.bench import run_digits
from tools.run import folder, preflight


def rows_of(name: str, run: str | None = None) -> Iterator[str]:
    """Remove every row the suite ever made in an environment, and say how many there were.

    Args:
        name: the environment.
        run: only the rows of the run of this name; others may be at work on the same system just now.

    Raises:
        SuiteError: when the environment is read-only or cannot be reached.
    """
    digits = None
    if run:  # by name: the run may have been another machine's
        known = folder.RESULTS / run
        digits = run_digits((known if known.exists() else Path(run)).resolve().name)
    with closing(environment.connect(preflight.writable(name))) as target, preflight.connected(target) as connection:
        for table, count in rows.remove_rows(connection, digits).items():
            yield f"{table}: {count} removed"
        if instruments.installed(connection):
            gone = instruments.remove(connection)
            yield "instruments: removed" if gone else "instruments: in use by a run just now; clean again after it"


def old_results() -> Iterator[str]:
    """Remove the folders of all runs but the latest, and say which."""
    removed = folder.remove_old()
    yield from (f"{path} removed" for path in removed)
    yield f"{len(removed)} old runs removed"
