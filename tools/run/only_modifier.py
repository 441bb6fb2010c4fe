"""A pre-run modifier that keeps one shard's tests: robot --prerunmodifier "only_modifier.py;RUN/shard.json" ..."""

from __future__ import annotations

from pathlib import Path

import orjson
from robot.api import SuiteVisitor
from robot.running import TestSuite


class only_modifier(SuiteVisitor):  # noqa: N801 - Robot Framework finds the class by the file's name
    """Removes the tests of the other shards.

    Args:
        path: the ``shard.json`` of the run.
    """

    def __init__(self, path: str):
        record = orjson.loads(Path(path).read_bytes())
        self.wanted = frozenset(record["shards"][record["index"] - 1])

    def start_suite(self, suite: TestSuite) -> None:
        """Keep the wanted tests of this suite."""
        suite.tests = [test for test in suite.tests if test.name.partition(" ")[0] in self.wanted]

    def end_suite(self, suite: TestSuite) -> None:
        """Remove suites that have become empty."""
        suite.suites = [child for child in suite.suites if child.test_count]
