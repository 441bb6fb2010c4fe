"""Puts one overlay to the test, in this process: runs the plan's tests until one of them finds something."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg2
import requests
from robot.api import TestSuite

from acceptance import current
from acceptance.bench import Bench
from acceptance.errors import SuiteError
from tools.prove.overlays import Overlay
from tools.prove.plan import Plan, Test
from tools.prove.stand import Stand

REPLAYS = 5  # so often a race must be lost by the test that has found it
SHORT = 25  # so many fitting tests an equivalent mutant is put through
NOT_EXERCISED = "not exercised:"
EXPECTATION = "expectation"
SHOWN = 500


class Outcome(StrEnum):
    """What came of an overlay."""

    KILLED = "killed"
    SURVIVED = "survived"
    FLAKY = "flaky kill"  # a race that was lost, but not each time: counts as survived
    EQUIVALENT = "equivalent"
    DIFFERENT = "not equivalent"  # said to be equivalent, and yet a test has found it
    GREEN = "green"
    RED = "red"
    BROKEN = "broken"


@dataclass
class Verdict:
    """What is known of one overlay after its tests."""

    id: str
    family: str
    outcome: Outcome
    symptom: str = ""
    reason: str = ""
    priority: str = ""
    expected: list[str] = field(default_factory=list)
    test: str = ""
    broke: list[str] = field(default_factory=list)
    words: str = ""
    tests: int = 0
    skipped: int = 0
    not_exercised: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    flaky: list[str] = field(default_factory=list)
    seconds: float = 0.0
    to_kill: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass
class Finding:
    """What one test has found of its target."""

    test: str
    broke: list[str]
    words: str


class Watch:
    """Robot Framework listener: keeps what each test came to, and ends the run at the first finding.

    Args:
        stand: starts the calendar's worker for the tests that look there.
        tests: by name, as they run.
        stop: whether to end at the first finding.
    """

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, stand: Stand, tests: Sequence[Test], *, stop: bool):
        self.stand, self.stop = stand, stop
        self.calendar = {test.name for test in tests if "calendar" in test.features}
        self.findings: list[Finding] = []
        self.errors: list[str] = []
        self.not_exercised: list[str] = []
        self.times: dict[str, float] = {}
        self.skipped = 0
        self._began = 0.0

    def start_test(self, data: Any, _result: Any) -> None:
        """Make ready what the test needs."""
        self._began = time.monotonic()
        if data.name in self.calendar:
            self.stand.start_calendar()

    def end_test(self, data: Any, result: Any) -> None:
        """Tell a finding about the target from an error of the suite."""
        self.times[data.name] = time.monotonic() - self._began
        if result.skipped:
            self.skipped += 1
            return
        if not result.failed:
            return
        case = current.ended()
        complaints = [line for line in case.complaints if not line.startswith(NOT_EXERCISED)] if case else []
        if case and case.complaints and not (case.breaches or complaints):
            # What was planned for the usual way of doing it does not take place in a studio that does it otherwise.
            self.not_exercised.append(data.name)
            return
        if case is None or not (case.breaches or complaints):
            self.errors.append(f"{data.name}: {result.message[:SHOWN]}")
            return
        broke = sorted({breach.invariant for breach in case.breaches}, key=lambda name: int(name[1:])) or [EXPECTATION]
        words = complaints[0] if complaints else str(case.breaches[0])
        self.findings.append(Finding(data.name, broke, words[:SHOWN]))
        if self.stop:
            siblings = data.parent.tests
            del siblings[siblings.index(data) + 1 :]  # the runner walks over this very list


def run_tests(
    stand: Stand, bench: Bench, overlay: Overlay, suite: TestSuite, tests: Sequence[Test], *, stop: bool
) -> Watch:
    """Run tests in this process, in the order given.

    Args:
        stand: starts what a test needs.
        bench: the studio with the overlay.
        overlay: named to those cases that want a studio for themselves.
        suite: what to run.
        tests: its tests.
        stop: whether to end at the first finding.
    """
    watch = Watch(stand, tests, stop=stop)
    variables = {"ENV": stand.environment.name, "RUN_DIR": stand.folder / overlay.id, "OVERLAY": overlay.path}
    with seated(bench):
        suite.run(
            output=None,
            log=None,
            report=None,
            console="none",
            listener=watch,
            variable=[f"{name}:{value}" for name, value in variables.items()],
        )
    return watch


def put_to_the_test(
    stand: Stand, plan: Plan, overlay: Overlay, replays: int = REPLAYS, *, full: bool = False
) -> Verdict:
    """Try an overlay and judge it; nothing that goes wrong with one keeps the others from their turn."""
    began = time.monotonic()
    verdict = Verdict(
        overlay.id,
        overlay.family,
        Outcome.BROKEN,
        overlay.head.get("symptom", ""),
        overlay.equivalent or overlay.head.get("why", ""),
        overlay.head.get("priority", ""),
        re.findall(r"I\d+", overlay.head.get("invariants", "")),
    )
    folder = stand.folder / overlay.id
    try:
        if plan.crash is not None and (overlay.family == "durability" or overlay.head.get("needs") == "crash"):
            _crash(stand, plan.crash, overlay, verdict)
        if verdict.outcome is not Outcome.KILLED:
            _try(stand, plan, overlay, verdict, replays, full=full)
    except (SuiteError, psycopg2.Error, requests.RequestException, OSError) as error:
        verdict.outcome = Outcome.BROKEN
        verdict.errors.append(f"{type(error).__name__}: {str(error).strip()}"[:SHOWN])
    verdict.seconds = round(time.monotonic() - began, 2)
    if verdict.outcome in (Outcome.GREEN, Outcome.SURVIVED, Outcome.EQUIVALENT):
        shutil.rmtree(folder, ignore_errors=True)
    return verdict


def _try(stand: Stand, plan: Plan, overlay: Overlay, verdict: Verdict, replays: int, *, full: bool) -> None:
    tests = plan.of(overlay)
    if overlay.equivalent:
        tests = tests[:SHORT]
    elif full and not overlay.is_control:
        tests = tests + plan.rest
    began = time.monotonic()
    with stand.bench(overlay) as bench:
        finding = None
        while tests and finding is None:
            watch = run_tests(stand, bench, overlay, plan.suite(tests), tests, stop=not overlay.is_control)
            verdict.tests += len(watch.times)
            verdict.skipped += watch.skipped
            verdict.not_exercised += watch.not_exercised
            verdict.errors += watch.errors
            if not watch.findings:
                break
            finding = watch.findings[0]
            verdict.to_kill = round(time.monotonic() - began, 2)
            if overlay.is_race and not overlay.is_control:
                position = [test.name for test in tests].index(finding.test)
                again = [tests[position]] * replays
                lost = len(run_tests(stand, bench, overlay, plan.suite(again), again, stop=False).findings)
                if lost < replays:
                    verdict.flaky.append(f"{finding.test}: {lost} of {replays}")
                    tests, finding = tests[position + 1 :], None
    if finding is not None:
        verdict.test, verdict.broke, verdict.words = finding.test, finding.broke, finding.words
    verdict.outcome = _judge(overlay, verdict, finding)


@contextmanager
def seated(bench: Bench) -> Iterator[None]:
    """Make a bench the process's own for a run whose end, Robot Framework's, must not take it down."""
    keep = bench.connection, bench.target
    # Stand-ins for this while: mypy takes a method for fixed, and cannot see what ``_Kept`` passes on.
    bench.close = lambda: None  # type: ignore[method-assign]
    bench.connection, bench.target = _Kept(bench.connection), _Kept(bench.target)  # type: ignore[assignment]
    current.set_bench(bench)
    try:
        yield
    finally:
        current.set_bench(None)
        bench.connection, bench.target = keep
        del bench.close


class _Kept:
    """Something that is used by others and closed only by its owner."""

    def __init__(self, owned: Any):
        self._owned = owned

    def __getattr__(self, name: str) -> Any:
        return getattr(self._owned, name)

    def close(self) -> None:
        """Leave it open."""


def _judge(overlay: Overlay, verdict: Verdict, finding: Finding | None) -> Outcome:
    if overlay.is_control:
        return Outcome.RED if finding else Outcome.BROKEN if verdict.errors else Outcome.GREEN
    if overlay.equivalent:
        return Outcome.DIFFERENT if finding else Outcome.EQUIVALENT
    if finding:
        return Outcome.KILLED
    if verdict.flaky:
        return Outcome.FLAKY
    return Outcome.BROKEN if verdict.errors else Outcome.SURVIVED


def _crash(stand: Stand, crash: Path, overlay: Overlay, verdict: Verdict) -> None:
    """Try what only a crash shows: the crash suite, on whole studios of its own."""
    began = time.monotonic()
    suite = TestSuite.from_file_system(crash)
    for part in suite.suites:
        tests = [Test(model, frozenset()) for model in part.tests]
        with stand.bench(overlay) as bench:
            watch = run_tests(stand, bench, overlay, part, tests, stop=True)
        verdict.tests += len(watch.times)
        verdict.errors += watch.errors
        if watch.findings:
            finding = watch.findings[0]
            verdict.test, verdict.broke, verdict.words = finding.test, finding.broke, finding.words
            verdict.outcome, verdict.to_kill = Outcome.KILLED, round(time.monotonic() - began, 2)
            return
