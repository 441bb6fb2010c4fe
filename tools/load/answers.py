"""What was answered to a load's users, from the process of each to the folder of the run.

On the coordinator's machine each process writes a file; those of other machines hand theirs to the master.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, BinaryIO

import gevent
import orjson
from locust.runners import STATE_MISSING, STATE_STOPPING, MasterRunner

LAST_REPORTS_SECONDS = 40


class Answers:
    """Keeps what was answered: in a file, or until the next report to the master."""

    _file: BinaryIO | None

    def __init__(self, path: Path | None):
        self._path, self._file = path, None
        self._pending: list[dict[str, Any]] = []

    def keep(self, record: dict[str, Any]) -> None:
        """Keep one answer; in a file it survives the end of this process, however sudden."""
        if self._path is None:
            self._pending.append(record)
        else:
            self._file = self._file or self._path.open("ab", buffering=0)
            self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def take(self) -> list[dict[str, Any]]:
        """Hand out what the master does not have yet."""
        taken, self._pending = self._pending, []
        return taken


class Keeper:
    """The master's side of the answers: writes down those of workers that cannot reach the run's folder."""

    def __init__(self, runner: MasterRunner, answers: Path):
        self._runner = runner
        self._answers = answers
        self._last: set[str] = set()

    def keep(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        """Write the answers of one report; the last one is marked."""
        if data["last"]:
            self._last.add(client_id)
        if data["in_file"]:
            return
        lines = [*data["answers"], {"last": True}] if data["last"] else data["answers"]
        name = "".join(c if c.isalnum() else "-" for c in client_id)
        with (self._answers / f"remote-{name}.jsonl").open("ab") as file:
            file.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)

    def wait_for_last_reports(self, **_: Any) -> None:
        """Let the workers bring their users' tasks to an end and report; Locust itself would wait half a second."""
        waiting = {client.id for client in self._runner.clients.all if client.state != STATE_MISSING}
        self._runner.update_state(STATE_STOPPING)  # or it would give the users of a worker that ends to the others
        self._runner.send_message("quit")
        until = time.monotonic() + LAST_REPORTS_SECONDS
        while waiting - self._last and time.monotonic() < until:
            gevent.sleep(0.05)
