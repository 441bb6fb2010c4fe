"""Joins the logs of a run's workers into one, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

MERGED = "log.jsonl"


def records(where: Path) -> Iterator[dict[str, Any]]:
    """Read what all workers of a run logged; the cut off last line of a killed one is left out."""
    for path in sorted((where / "logs").glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                break


def disturbances(where: Path) -> dict[str, dict[str, int]]:
    """Count what a run's cases planned and what took place, by kind.

    Returns:
        For each of network, calendar, database and order: how many were ``planned`` and ``fired``, and in how many
        ``cases``. A case that was run again counts once more.
    """
    counts: dict[str, dict[str, int]] = {}
    for path in sorted((where / "ledgers").glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            entry = orjson.loads(line)
            for kind, planned in entry["planned"].items():
                count = counts.setdefault(kind, {"cases": 0, "planned": 0, "fired": 0})
                missing = sum(min(planned.count(what), entry["missing"].count(what)) for what in set(planned))
                count["cases"] += bool(planned)
                count["planned"] += len(planned)
                count["fired"] += len(planned) - missing
    return counts


def ordered(where: Path) -> list[dict[str, Any]]:
    """Read what all workers of a run logged, sorted by time."""
    return sorted(records(where), key=lambda record: tuple(record[name] for name in ("timestamp", "test_id", "step")))


def merge(where: Path, found: list[dict[str, Any]] | None = None) -> Path:
    """Write ``log.jsonl`` into a run's folder: one line per call of all workers, sorted by time; return its path."""
    found = ordered(where) if found is None else found
    path = where / MERGED
    path.write_bytes(b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in found))
    return path
