"""Samples the machine and the database during a run, so that a slow or flaky case can be set beside them."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import orjson
import psutil
import psycopg2

from acceptance.environment import Target

FILE = "machine.jsonl"
SECONDS = 1.0
DATABASE = """
select count(*) filter (where state = 'active') as active, count(*) as connections,
       count(*) filter (where wait_event_type = 'Lock') as lock_waits
from pg_stat_activity where datname = current_database()
"""


class Sampler:
    """Writes one line a second from a thread of its own, as long as the context lasts.

    Args:
        folder: the run's folder.
        target: whose database is looked at.
    """

    def __init__(self, folder: Path, target: Target):
        self.path, self.target = folder / FILE, target
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Sampler:
        psutil.cpu_percent()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = psycopg2.connect(self.target.database_url)
        connection.autocommit = True
        with self.path.open("ab") as file:
            began = time.monotonic()
            while not self._stop.wait(SECONDS):
                sample = {
                    "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "second": round(time.monotonic() - began, 1),
                    "cpu_percent": psutil.cpu_percent(),
                    "memory_percent": psutil.virtual_memory().percent,
                    "load": round(os.getloadavg()[0], 2),
                }
                # A server that is down for a moment (a crash test) leaves a line without the database's part.
                with suppress(psycopg2.Error), connection.cursor() as cursor:
                    cursor.execute(DATABASE)
                    names = ("active", "connections", "lock_waits")
                    [found] = cursor.fetchall()
                    sample |= dict(zip(names, found, strict=True))
                file.write(orjson.dumps(sample, option=orjson.OPT_APPEND_NEWLINE))
                file.flush()
        connection.close()


def samples(folder: Path) -> list[dict[str, float | str]]:
    """Read a run's samples; none where there was no sampler."""
    path = folder / FILE
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.is_file() else []


def at(moment: datetime, found: list[dict[str, float | str]]) -> dict[str, float | str]:
    """Return the sample nearest to a moment; empty where there is none."""

    def distance(sample: dict[str, float | str]) -> float:
        return abs((datetime.fromisoformat(str(sample["at"])) - moment).total_seconds())

    return min(found, key=distance, default={})
