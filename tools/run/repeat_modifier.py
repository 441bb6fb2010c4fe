"""A pre-run modifier that lets each test run several times: robot --prerunmodifier repeat_modifier.py:20 ..."""

from __future__ import annotations

from robot.api import SuiteVisitor
from robot.running import TestSuite


class repeat_modifier(SuiteVisitor):  # noqa: N801 - Robot Framework finds the class by the file's name
    """Repeats every test.

    Args:
        times: how often each test runs.
    """

    def __init__(self, times: str):
        self.times = int(times)

    def start_suite(self, suite: TestSuite) -> None:
        """Put copies of each test behind it, numbered in their names."""
        if self.times > 1:
            suite.tests = [
                test.copy(name=f"{test.name} ({n} of {self.times})")
                for test in suite.tests
                for n in range(1, self.times + 1)
            ]
