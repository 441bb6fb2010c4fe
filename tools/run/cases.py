"""The cases of a run: made by the generator, and the ones written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acceptance.datafiles import ROOT

SUITES = ROOT / "suites"
GENERATED = SUITES / "generated"
TABLES = ROOT / "results" / "test-cases"


@dataclass(frozen=True)
class Wish:
    """Which cases are wanted."""

    count: int
    seed: int
    environment: str
    category: str | None = None
    full: bool = False


def generate(wish: Wish) -> tuple[dict[str, Any], Path]:
    """Make the cases, and write their table and their suites.

    Returns:
        The table and its path.
    """
    from tools import generator

    table = generator.generate(
        count=wish.count, seed=wish.seed, env=wish.environment, category=wish.category, full=wish.full
    )
    path = generator.write_table(table, TABLES)
    generator.write_suites(table, GENERATED)
    return table, path


def written_by_hand(include: str | None) -> set[str]:
    """Return the ids of the tests that stand in the suites outside of ``generated``.

    Args:
        include: a tag that the tests must have; None for all of them.
    """
    from robot.api import TestSuite

    places = [path for path in SUITES.iterdir() if path.is_dir() and path != GENERATED]
    suite = TestSuite.from_file_system(*places)
    if include:
        suite.filter(included_tags=[include])
    return {id_of(test.name) for test in suite.all_tests}


def id_of(name: str) -> str:
    """Return a test's id: the first word of its name."""
    return name.partition(" ")[0]
