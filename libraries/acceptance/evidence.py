"""Writes down what happened: one JSON line per call, and the rows before and after each case.

Tokens, keys and passwords never get here: a line is made of the request's meaning, not of its headers.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from acceptance.snapshot import Snapshot


class Evidence:
    """The evidence of one process in one run folder; one log file per process, so that writers never meet.

    Args:
        folder: the run's own folder; ``logs`` and ``snapshots`` are made below it.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        (folder / "snapshots").mkdir(exist_ok=True)
        (folder / "ledgers").mkdir(exist_ok=True)
        self._ledger = folder / "ledgers" / f"{os.getpid()}.jsonl"
        self._log: BinaryIO = (folder / "logs" / f"{os.getpid()}.jsonl").open("ab")

    def log(self, record: dict[str, Any]) -> None:
        """Append one record of the seed's log format."""
        self._log.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE, default=str))

    def enter(self, test_id: str, planned: dict[str, list[str]], missing: list[str]) -> None:
        """Enter into the ledger what a case planned to disturb, by kind, and what of it never took place."""
        with self._ledger.open("ab") as ledger:
            record = {"test_id": test_id, "planned": planned, "missing": missing}
            ledger.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def snapshot(self, name: str, snapshot: Snapshot) -> str:
        """Write a snapshot and return its path relative to the run's folder."""
        path = f"snapshots/{name}.json"
        record = {"snapshot_id": name, **dataclasses.asdict(snapshot)}
        (self.folder / path).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
        return path

    def flush(self) -> None:
        """Hand everything to the operating system, so that a killed process loses nothing of a finished case."""
        self._log.flush()

    def close(self) -> None:
        """Close the log file."""
        self._log.close()
