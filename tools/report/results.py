"""Reads what came of a run from its output.xml."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from robot.api import ExecutionResult, ResultVisitor
from robot.errors import DataError
from robot.result import TestCase

from acceptance.access import OWN_CHOICE
from acceptance.errors import SuiteError

CATEGORY = "category-"
STOPPED = ("Execution terminated by signal", "Parent suite setup failed:", "OperationalError:", "InterfaceError:")
BREACH = re.compile(r"^P\d (I\d+) ", re.MULTILINE)
# Robot Framework's own words around a message.
FRAMES = (
    "Setup failed:",
    "Teardown failed:",
    "Also teardown failed:",
    "Skipped in setup:",
    "Skipped in teardown:",
    "Skipped in parent suite setup:",
    "Skipped in parent suite teardown:",
)


@dataclass(frozen=True)
class Case:
    """One test as it ended. ``status`` is PASS, FAIL, SKIP or NOT RUN."""

    name: str
    status: str
    tags: frozenset[str]
    message: str
    seconds: float
    started: datetime | None = None
    source: Path | None = None  # the suite's file

    @property
    def id(self) -> str:
        """The first word of the name."""
        return self.name.partition(" ")[0]

    @property
    def category(self) -> str:
        """The category by its tag, or "other"."""
        return next((tag.removeprefix(CATEGORY) for tag in sorted(self.tags) if tag.startswith(CATEGORY)), "other")

    @property
    def is_p0(self) -> bool:
        """Whether a class was lost or given away, or data contradict each other."""
        return self.status == "FAIL" and "p0" in self.tags

    @property
    def broken(self) -> list[str]:
        """The invariants that broke, as the message names them."""
        return list(dict.fromkeys(BREACH.findall(self.message)))

    @property
    def broke_an_invariant(self) -> bool:
        """Whether the target broke a promise, as opposed to not answering as expected."""
        return bool(self.broken)

    @property
    def cause(self) -> str:
        """The first line of the message that says something."""
        return cause_of(self.message)


@dataclass(frozen=True)
class Results:
    """All tests of one run."""

    cases: list[Case]

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of cases per status."""
        return Counter(case.status for case in self.cases)

    @property
    def judged(self) -> int:
        """The cases that passed or failed: those that say something about the target."""
        return self.counts["PASS"] + self.counts["FAIL"]

    @property
    def failures(self) -> list[Case]:
        """The failed cases, P0 first."""
        failed = [case for case in self.cases if case.status == "FAIL"]
        return sorted(failed, key=lambda case: (not case.is_p0, case.name))

    @property
    def p0(self) -> list[Case]:
        """The failed cases in which a class was lost or given away."""
        return [case for case in self.failures if case.is_p0]

    def of(self, status: str) -> list[Case]:
        """Return the cases of a status."""
        return [case for case in self.cases if case.status == status]

    def choices(self) -> list[str]:
        """Say what the target has chosen where a studio may choose: no finding, but worth knowing."""
        told = [case.message.removeprefix(OWN_CHOICE) for case in self.of("PASS") if OWN_CHOICE in case.message]
        return list(dict.fromkeys(told))

    def by_category(self) -> dict[str, Counter[str]]:
        """Count the statuses per category."""
        counts: dict[str, Counter[str]] = {}
        for case in self.cases:
            counts.setdefault(case.category, Counter())[case.status] += 1
        return counts


def status_of(test: TestCase) -> str:
    """Return PASS, FAIL, SKIP, or NOT RUN for a test that was stopped or never came to its turn."""
    stopped = test.tags.robot("exit") or cause_of(test.message).startswith(STOPPED)
    return "NOT RUN" if test.failed and stopped else test.status


def cause_of(message: str) -> str:
    """Return the first line of a message that says something."""
    return next((line for line in message.splitlines() if line and line not in FRAMES), "")


class _Collector(ResultVisitor):
    def __init__(self) -> None:
        self.cases: list[Case] = []

    def visit_test(self, test: TestCase) -> None:
        tags, seconds = frozenset(map(str, test.tags)), test.elapsed_time.total_seconds()
        started = test.start_time.astimezone(UTC) if test.start_time else None
        self.cases.append(Case(test.name, status_of(test), tags, test.message, seconds, started, test.source))


def read(output: Path) -> Results:
    """Read an output.xml.

    Raises:
        SuiteError: when it is not there or not complete.
    """
    try:
        result = ExecutionResult(output, include_keywords=False)
    except DataError as error:
        raise SuiteError(f"{output}: cannot be read: {error.message}") from None
    collector = _Collector()
    result.visit(collector)
    return Results(collector.cases)
