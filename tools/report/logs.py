"""Joins the logs of a run's workers into one, in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

MERGED = "log.jsonl"


class Line(NamedTuple):
    """Where a record stands, after what the records are sorted by."""

    timestamp: str
    test_id: str
    step: int
    path: Path
    start: int
    length: int


def lines(where: Path) -> Iterator[tuple[dict[str, Any], Line]]:
    """Read what all workers of a run logged, one record at a time: a long run's are gigabytes once they are parsed.

    The cut off last line of a killed worker is left out.
    """
    for path in sorted((where / "logs").glob("*.jsonl")):
        start = 0
        with path.open("rb") as file:
            for text in file:
                try:
                    record = orjson.loads(text)
                except orjson.JSONDecodeError:
                    break
                yield record, Line(record["timestamp"], record["test_id"], record["step"], path, start, len(text))
                start += len(text)


def records(where: Path) -> Iterator[dict[str, Any]]:
    """Read what all workers of a run logged, without the places."""
    return (record for record, _ in lines(where))


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


def merge(where: Path, found: Iterable[Line] | None = None) -> Path:
    """Write ``log.jsonl`` into a run's folder: one line per call of all workers, sorted by time; return its path."""
    found = (line for _, line in lines(where)) if found is None else found
    path = where / MERGED
    with ExitStack() as stack, path.open("wb") as merged:
        opened: dict[Path, BinaryIO] = {}
        for line in sorted(found):
            if line.path not in opened:
                opened[line.path] = stack.enter_context(line.path.open("rb"))
            opened[line.path].seek(line.start)
            merged.write(opened[line.path].read(line.length))
    return path
