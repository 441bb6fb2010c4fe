"""Splits a run over many machines: the same cases everywhere, each of them run by exactly one.

Nothing is agreed upon while it runs. Each machine makes the whole table from the same seed, works out the same split,
and keeps its own part. Pabot's own ``--shard`` deals out whole files, as many to each in the order of their names: the
slow files that stand together then meet on one machine, and there can be no more shards than files. So the cases are
dealt here, by what they cost, and ``only_modifier`` lets robot run those alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson
from robot.api import TestSuite
from robot.running import TestCase

from acceptance.bench import run_digits
from acceptance.datafiles import DATA, ROOT
from acceptance.errors import SuiteError
from tools.generator.suites import tags_of
from tools.run import cases

Item = TypeVar("Item")

FILE = "shard.json"
MOST = 500
TEST = re.compile(r"^T-\S+ ", re.MULTILINE)
WORDS = re.compile(r"([1-9]\d*)/([1-9]\d*)")
# Seconds, as measured with six workers on two cores; only their ratio counts. Most of it is waiting: for what is late,
# for what is sent again, for a calendar to come back.
CASE = 0.12
MORE = {  # by tag
    "network-high-latency": 0.2,
    "network-packet-loss": 0.25,
    "network-failure-injection": 0.15,
    "category-failure-injection": 0.2,
    "category-load": 0.07,
    "action-calendar-fails": 2.2,
}
# Files written by hand whose tests wait for a restart or a delivery, or try one fault or one caller after the other.
SLOW = {"calendar": 1.8, "crash": 1.5, "faults": 1.3, "rights": 0.3, "known_bug": 0.3}


@dataclass(frozen=True)
class Shard:
    """One of so many parts, counted from 1."""

    index: int
    of: int

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


@dataclass(frozen=True)
class Unit:
    """What stays together: one generated case, or the tests of one file written by hand."""

    tests: tuple[str, ...]
    cost: float


def parse(words: str | None) -> Shard | None:
    """Read a shard as it is written on the command line, such as 2/5; None for none.

    Raises:
        SuiteError: when there is no such part.
    """
    if words is None:
        return None
    match = WORDS.fullmatch(words)
    if match is None or not int(match[1]) <= int(match[2]) <= MOST:
        raise SuiteError(f"--shard {words}: say which part of how many, at most {MOST}, for example 2/5.")
    return Shard(int(match[1]), int(match[2]))


def split(table: dict[str, Any] | None, by_hand: TestSuite | None, parts: int) -> list[list[str]]:
    """Deal all tests out so that each part takes about equally long.

    Args:
        table: the generated cases; None for none.
        by_hand: the other tests that will run; None for none.
        parts: how many machines.

    Returns:
        The tests' ids by part, sorted. The same for the same cases, wherever it is worked out.

    Raises:
        SuiteError: when there is less to run than there are parts.
    """
    units = sorted([*_files(by_hand), *_generated(table)], key=lambda unit: unit.tests)
    if len(units) < parts:
        raise SuiteError(f"{len(units)} cases and files of tests cannot be shared by {parts} machines; take fewer.")
    dealt = deal([(unit.cost, unit.tests) for unit in units], parts)
    return [sorted(test for tests in part for test in tests) for part in dealt]


def deal(items: Iterable[tuple[float, Item]], parts: int) -> list[list[Item]]:
    """Deal items out so that all parts cost about as much: the costliest first, each to who has least (Graham's rule).

    Args:
        items: each with its cost before it; those that cost the same are dealt in the order given.
        parts: how many.
    """
    dealt: list[list[Item]] = [[] for _ in range(parts)]
    loads = [0.0] * parts
    for cost, item in sorted(items, key=lambda one: -one[0]):
        least = min(range(parts), key=lambda part: (round(loads[part], 6), part))
        loads[least] += cost
        dealt[least].append(item)
    return dealt


def share(count: int, shard: Shard) -> tuple[int, int]:
    """Share a number of draws out evenly.

    Returns:
        The number of the shard's first draw, counted from 1, and how many it makes.
    """
    low, high = (count * part // shard.of for part in (shard.index - 1, shard.index))
    return low + 1, high - low


def _generated(table: dict[str, Any] | None) -> list[Unit]:
    return [Unit((case["test_id"],), cost(case)) for case in (table or {"cases": []})["cases"]]


def cost_of_file(path: Path) -> float:
    """Estimate the seconds of a suite's file from how many tests it has and from their tags, without parsing it."""
    text = path.read_text(encoding="utf-8")
    tests = len(TEST.findall(text)) * SLOW.get(path.stem, CASE)
    return tests + sum(seconds * text.count(tag) for tag, seconds in MORE.items())


def cost(case: dict[str, Any]) -> float:
    """Estimate how long a generated case takes, in seconds."""
    return CASE + sum(MORE.get(tag, 0.0) for tag in tags_of(case))


def _files(suite: TestSuite | None) -> list[Unit]:
    """Make a unit of each file: its setup, such as a studio of its own, is paid for once."""
    files: dict[Path | None, list[TestCase]] = {}
    for test in suite.all_tests if suite else ():
        files.setdefault(test.source, []).append(test)
    units = []
    for source, tests in files.items():
        each = SLOW.get(source.stem, CASE) if source else CASE
        units.append(Unit(tuple(cases.id_of(test.name) for test in tests), len(tests) * each))
    return units


def fits(name: str, shard: Shard) -> bool:
    """Tell whether a shard may call its run so: then its rows have digits that no other shard's have.

    Nobody is asked: of the digits' 65,536 values each shard takes only those that leave its own remainder.
    """
    return int(run_digits(name), 16) % shard.of == shard.index - 1


def write(place: Path, shard: Shard, parts: Sequence[Sequence[str]], digest: str) -> None:
    """Keep the split in a run's folder, for who runs it and for who merges it."""
    record = {"index": shard.index, "of": shard.of, "digest": digest, "shards": parts}
    (place / FILE).write_bytes(orjson.dumps(record))


def digest(table: Path | None, overlays: Sequence[Path]) -> str:
    """Say in a few digits which cases, suites and overlays these are: what must be the same on all machines.

    The environments are left out, since addresses may differ from machine to machine.
    """
    known = hashlib.sha256(table.read_bytes() if table else b"")
    for folder in (cases.SUITES, ROOT / "resources", ROOT / "libraries", DATA):
        for path in sorted(folder.rglob("*")):
            generated = cases.GENERATED in path.parents
            if path.suffix in {".robot", ".resource", ".py", ".yaml", ".json", ".sql"} and not generated:
                if path.name.startswith("environments."):
                    continue
                known.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    for path in overlays:
        known.update(path.read_bytes())
    return known.hexdigest()[:16]
