"""The cases of a run: made by the generator, and the ones written by hand."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from tools.run import folder

if TYPE_CHECKING:
    from robot.api import TestSuite

SUITES = ROOT / "suites"
GENERATED = SUITES / "generated"
TABLES = "test-cases"
OF_ORDERS = "T-ORDER-"
OF_THE_MATRIX = re.compile(r"T-[0-9]{6}")


@dataclass(frozen=True)
class Wish:
    """Which cases are wanted."""

    count: int
    seed: int
    environment: str
    category: str | None = None
    full: bool = False
    workers: int = 1


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of the generated suites; two runs of one copy would overwrite each other's."""
    folder.RESULTS.mkdir(exist_ok=True)
    lock = FileLock(folder.RESULTS / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        words = "another run of this copy of the project is using it; wait for its end, or use a second copy"
        raise SuiteError(f"{GENERATED}: {words}.") from None
    try:
        yield
    finally:
        lock.release()


def generate(wish: Wish) -> tuple[dict[str, Any], Path]:
    """Make the cases, and write their table and their suites.

    Returns:
        The table and its path.
    """
    from tools import generator

    table = generator.generate(
        count=wish.count, seed=wish.seed, env=wish.environment, category=wish.category, full=wish.full
    )
    path = folder.RESULTS / TABLES / f"test-matrix-{len(table['cases'])}.json"
    generator.write_table(table, path)
    generator.write_suites(table, GENERATED, workers=wish.workers)
    return table, path


def by_hand(include: str | None) -> TestSuite:
    """Read the suites outside of ``generated``.

    Args:
        include: a tag that the tests must have; None for all of them.
    """
    from robot.api import TestSuite

    places = [path for path in SUITES.iterdir() if path.is_dir() and path != GENERATED]
    suite = TestSuite.from_file_system(*places) if places else TestSuite()
    if include:
        suite.filter(included_tags=[include])
    return suite


def written_by_hand(include: str | None) -> set[str]:
    """Return the ids of the tests that stand in the suites outside of ``generated``.

    Args:
        include: a tag that the tests must have; None for all of them.
    """
    return {id_of(test.name) for test in by_hand(include).all_tests}


def kinds(planned: Collection[str]) -> str:
    """Say how many of some cases are generated (`--count` is about those alone), ordered races, written by hand."""
    races = sum(name.startswith(OF_ORDERS) for name in planned)
    generated = sum(OF_THE_MATRIX.fullmatch(name) is not None for name in planned)
    by_hand = len(planned) - races - generated
    return f"{generated:,} generated, {races:,} ordered races, {by_hand:,} written by hand"


def id_of(name: str) -> str:
    """Return a test's id: the first word of its name."""
    return name.partition(" ")[0]
