"""Draws programs independently, runs each in parallel with others, and shrinks those that fail.

Each draw is made by Hypothesis from a seed of its own, so that no draw depends on what came of another; this is what
the bound on the failure rate asks for. A failing one is shrunk in place: what is kept is the smallest program that
still fails, as a case that ``replay`` takes.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import secrets
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing.pool import Pool
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import hypothesis
import orjson
import requests
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from robot.api import TestSuite
from robot.result import Result

from acceptance import current, environment, rows
from acceptance.bench import Bench, open_database, run_digits
from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from tools import generator
from tools.draws import program
from tools.generator import matrix, suites
from tools.generator.table import VERSION
from tools.prove.trial import NOT_EXERCISED, seated
from tools.report import figures
from tools.report.proof import DRAWS
from tools.run import folder, preflight
from tools.studio.processes import end_with_parent

RESOURCE = ROOT / "resources" / "studio.resource"
SHRUNK = 3  # so many failures are shrunk by each worker; a system that fails in every draw needs no more
MOST_TRIES = 150  # of a shrink
MOST_SECONDS = 60.0
AGAIN = 5  # so often the smallest program is run once more
SHOWN = 5
FAILED, COULD_NOT_RUN = 1, 2


@dataclass(frozen=True)
class Wish:
    """What is to be drawn."""

    draws: int
    seed: int
    env: str
    processes: int
    overlays: tuple[Path, ...] = ()
    first: int = 1  # the number of the first draw: another for each shard of a run
    sql: tuple[Path, ...] = ()  # somebody's own system in the place of the studio


@dataclass
class Draw:
    """What came of one draw. ``again``: so often its smallest program failed, of ``AGAIN`` times."""

    test_id: str
    verdict: str = "passed"
    broke: list[str] = field(default_factory=list)
    words: str = ""
    again: int | None = None
    drawn: dict[str, Any] | None = None
    smallest: dict[str, Any] | None = None


@dataclass
class Tally:
    """What came of all draws; only those that were judged count for the bound."""

    wish: Wish
    found: list[Draw] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def counts(self) -> Counter[str]:
        """How many passed, failed, were not proven, not exercised or errors."""
        return Counter(one.verdict for one in self.found)

    @property
    def failures(self) -> list[Draw]:
        """The draws that failed, by number."""
        return sorted((one for one in self.found if one.verdict == "failed"), key=lambda one: one.test_id)

    @property
    def judged(self) -> int:
        """How many passed or failed."""
        return self.counts["passed"] + self.counts["failed"]

    @property
    def exit_code(self) -> int:
        """0 none failed, 1 some did, 2 some could not be run."""
        if self.failures:
            return FAILED
        return COULD_NOT_RUN if self.interrupted or self.counts["error"] or not self.judged else 0

    def record(self) -> dict[str, Any]:
        """Return it as ``random.json`` has it."""
        failed = len(self.failures)
        return {
            "draws": self.judged,
            "failures": failed,
            "upper_bounds": {
                str(level): figures.failure_bound(failed, self.judged, level)
                for level in (figures.CONFIDENCE, figures.STRICT)
            },
            "counts": dict(self.counts),
            "seed": self.wish.seed,
            "env": self.wish.env,
            "overlays": [str(path) for path in self.wish.overlays],
            "sql": [str(path) for path in self.wish.sql],
            "hypothesis": hypothesis.__version__,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "programs": [asdict(one) for one in self.found if one.verdict != "passed"],
        }

    def lines(self) -> Iterator[str]:
        """Say it to a person."""
        counts, failed = self.counts, len(self.failures)
        others = "".join(
            f", {counts[name]} {name}" for name in ("not proven", "not exercised", "error") if counts[name]
        )
        yield f"{self.judged} programs drawn independently and judged, {failed or 'none'} failed{others}."
        for one in self.failures[:SHOWN]:
            words = f", smallest program fails {one.again} of {AGAIN} times" if one.again is not None else ""
            yield f"  {one.test_id} {', '.join(one.broke)}: {one.words.splitlines()[0]}{words}"
        for one in [one for one in self.found if one.verdict == "error"][:SHOWN]:
            yield f"  {one.test_id} could not be run: {one.words.splitlines()[0]}"
        if self.judged:
            usual, strict = (
                figures.failure_bound(failed, self.judged, c) for c in (figures.CONFIDENCE, figures.STRICT)
            )
            yield (
                f"Such a program fails with a probability below {usual:.3%} (95 % confidence), {strict:.3%} (99.999 %):"
                " the exact bound of Clopper and Pearson."
            )


def run(wish: Wish, console: Console) -> int:
    """Draw and judge, in a run folder of its own.

    Returns:
        The exit code.

    Raises:
        SuiteError: when the target cannot be tested; nothing has been written to it then.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = preflight.writable(wish.env, wish.sql)
    with console.status("Looking at the target ..."):
        target = environment.connect(chosen, wish.overlays)
    with closing(target):
        preflight.check(target)
        place = folder.create(latest=False)
        told = f"{wish.draws} draws, seed {wish.seed}, {wish.processes} workers: {place}"
        console.print(told, highlight=False, soft_wrap=True)
        began = datetime.now(UTC)
        tally = draw(wish, place, console)
        with preflight.connected(target) as connection:
            rows.remove_rows(connection, run_digits(place.name))
    _keep_for_replay(wish, place, began)
    for line in tally.lines():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if tally.failures:
        again = f"replay {tally.failures[0].test_id} --run {place.name}"
        console.print(f"Again: python3 tools/pilates.py {again}", markup=False, highlight=False, soft_wrap=True)
    return tally.exit_code


def _keep_for_replay(wish: Wish, place: Path, began: datetime) -> None:
    """Write what ``replay`` wants to know of a run."""
    record = {
        "run": place.name,
        "started": began.isoformat(timespec="milliseconds"),
        "seed": wish.seed,
        "arguments": {
            "env": wish.env,
            "overlays": [str(path.resolve()) for path in wish.overlays],
            "sql": [str(path.resolve()) for path in wish.sql],
        },
    }
    (place / folder.RECORD).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))


def draw(wish: Wish, place: Path, console: Console) -> Tally:
    """Draw, run and judge, and write ``random.json`` and the failing programs' cases into a run's folder.

    Args:
        wish: what is to be drawn.
        place: the run's folder; failures get a folder of evidence there.
        console: shows how far it has come.
    """
    began = time.monotonic()
    if environment.load(wish.env, wish.sql).users_given:
        wish = replace(wish, processes=1)  # users whom the environment gives are used by one at a time
    tally = Tally(wish)
    context = multiprocessing.get_context("fork")
    bar = Progress(
        TextColumn("drawing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    arrange = end_with_parent(signal.SIGKILL)
    with context.Pool(wish.processes, _open, (wish, place, arrange)) as pool, bar:
        task = bar.add_task("", total=wish.draws)
        try:
            for one in pool.imap_unordered(_one_draw, range(wish.first, wish.first + wish.draws)):
                tally.found.append(one)
                bar.advance(task)
        except KeyboardInterrupt:
            tally.interrupted = True
        else:
            _end(pool)
    tally.seconds = time.monotonic() - began
    (place / DRAWS).write_bytes(orjson.dumps(tally.record(), option=orjson.OPT_INDENT_2))
    if records := [one.smallest or one.drawn for one in tally.failures]:
        head = {"generator": {"seed": wish.seed, "count": len(records), "version": VERSION}, "coverage": {}}
        generator.write_table({**head, "cases": records}, place / folder.DRAWN)
    return tally


def _end(pool: Pool) -> None:
    """Let the workers end of themselves: each closes what it has opened."""
    pool.close()
    pool.join()


_worker: _Worker | None = None


def _open(wish: Wish, place: Path, arrange: Callable[[], None] | None) -> None:
    """Make a process a worker; Ctrl-C is for the parent, which then ends us."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if arrange is not None:
        arrange()
    _worker = _Worker(wish, place)
    Finalize(None, _worker.close, exitpriority=10)


def _one_draw(number: int) -> Draw:
    if _worker is None:
        raise SuiteError("this process is no worker.")
    return _worker.draw(number)


class _Worker:
    """A process's bench, and how it runs a program in this very process.

    Args:
        wish: what is to be drawn.
        place: the run's folder.
    """

    def __init__(self, wish: Wish, place: Path):
        self.wish, self.place = wish, place
        self.plan = matrix.load()
        self.programs = st.none() | program.programs(self.plan)
        self.shrunk = 0
        target = environment.connect(environment.load(wish.env, wish.sql), wish.overlays)
        session = requests.Session()
        session.trust_env = target.lease is None
        self.bench = Bench(target, open_database(target), session, place, run_digits(place.name))

    def close(self) -> None:
        """Give everything back."""
        with closing(self.bench.target), closing(self.bench.connection), closing(self.bench.session):
            self.bench.close()

    def draw(self, number: int) -> Draw:
        """Make one draw and judge it; a failing one is shrunk.

        Of the two examples that Hypothesis makes for a seed the first is always the simplest one: None, which stands
        for no program and is not run. The second one is drawn.
        """
        test_id, seed = id_of(number), self.seed(number)
        first: _Judgement | None = None
        kept: list[program.Program] = []
        until = time.monotonic() + MOST_SECONDS
        tries = 0

        def attempt(drawn: program.Program | None) -> None:
            nonlocal tries, first
            if drawn is None or tries > MOST_TRIES or time.monotonic() > until:
                return
            tries += 1
            if first is None:
                first = self.judge(self.told(drawn, number))
                kept.append(drawn)
                if first.verdict == "failed":
                    raise AssertionError
            elif self.fails(drawn, number, first):
                kept.append(drawn)
                raise AssertionError

        phases = [Phase.generate, Phase.shrink] if self.shrunk < SHRUNK else [Phase.generate]
        run_it = hypothesis.given(self.programs)(attempt)
        run_it = hypothesis.settings(
            max_examples=2,
            database=None,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            print_blob=False,
            report_multiple_bugs=False,
        )(hypothesis.seed(seed)(run_it))
        # What Hypothesis has to say of a failing program, we know already; one that does not fail each time is told
        # by ``again``.
        with suppress(AssertionError, HypothesisException):
            run_it()
        if first is None:
            return Draw(test_id, "error", words="Hypothesis drew nothing for this seed")
        if first.verdict == "passed":
            return Draw(test_id)
        drawn = self.told(kept[0], number)
        if first.verdict != "failed":
            return Draw(test_id, first.verdict, first.broke, first.words, drawn=drawn)
        if Phase.shrink not in phases:
            return Draw(test_id, "failed", first.broke, first.words, drawn=drawn)
        self.shrunk += 1
        smallest, again = self._most_certain(kept[-1], number, first)
        return Draw(test_id, "failed", first.broke, first.words, again, drawn, self.told(smallest, number))

    def _most_certain(self, smallest: program.Program, number: int, first: _Judgement) -> tuple[program.Program, int]:
        """Look whether a race fails each time; where it does not, look for an order in which it does."""
        again = self._times(smallest, number, first)
        for steered in program.steered(smallest) if again < AGAIN else ():
            if self.fails(steered, number, first):
                return steered, self._times(steered, number, first)
        return smallest, again

    def _times(self, drawn: program.Program, number: int, first: _Judgement) -> int:
        case = self.told(drawn, number)
        return sum(self.judge(case).symptom == first.symptom for _ in range(AGAIN))

    def fails(self, drawn: program.Program, number: int, first: _Judgement) -> bool:
        """Tell whether a program fails as the one that was drawn: twice, for a race may be lost by chance."""
        case = self.told(drawn, number)
        return all(self.judge(case).symptom == first.symptom for _ in range(2))

    def told(self, drawn: program.Program, number: int) -> dict[str, Any]:
        """Tell a program as the case of a draw."""
        return program.told(self.plan, drawn, id_of(number), self.seed(number), self.wish.env)

    def seed(self, number: int) -> int:
        """Return the seed of a draw: it says nothing about any other draw's."""
        return int.from_bytes(hashlib.sha256(f"{self.wish.seed}/{number}".encode()).digest()[:4], "big") >> 1

    def judge(self, case: dict[str, Any]) -> _Judgement:
        """Run a case in this process, and say what came of it."""
        head = suites.HEAD.format(
            seed=case["seed"], count=1, first=case["test_id"], last=case["test_id"], resource=RESOURCE
        )
        suite = TestSuite.from_string(head + suites.test_of(case))
        shutil.rmtree(self.place / "failures" / case["test_id"], ignore_errors=True)
        variables = {"ENV": self.wish.env, "RUN_DIR": self.place, "OVERLAY": ",".join(map(str, self.wish.overlays))}
        variables["SQL"] = ",".join(map(str, self.wish.sql))
        with seated(self.bench):
            result = suite.run(
                output=None,
                log=None,
                report=None,
                console="none",
                variable=[f"{name}:{value}" for name, value in variables.items()],
            )
        return _judgement(result)


@dataclass(frozen=True)
class _Judgement:
    verdict: str
    broke: list[str] = field(default_factory=list)
    words: str = ""

    @property
    def symptom(self) -> str:
        """What is broken; while it is shrunk, a failure must not turn into another one."""
        return self.broke[0] if self.verdict == "failed" else ""


def _judgement(result: Result) -> _Judgement:
    test = next(iter(result.suite.all_tests))
    if test.passed:
        return _Judgement("passed")
    if test.skipped:
        return _Judgement("not proven", words=test.message)
    case = current.ended()
    if case is None:
        return _Judgement("error", words=test.message)
    complaints = [line for line in case.complaints if not line.startswith(NOT_EXERCISED)]
    broke = sorted({breach.invariant for breach in case.breaches}, key=lambda name: int(name[1:]))
    if broke or complaints:
        words = complaints[0] if complaints else str(case.breaches[0])
        return _Judgement("failed", broke or ["expectation"], words)
    return _Judgement("not exercised" if case.complaints else "error", words=test.message)


def id_of(number: int) -> str:
    """Name the case of a draw."""
    return f"T-RANDOM-{number:06d}"


def fresh_seed() -> int:
    """Return a seed that was never used: draws that are repeated are no new ones."""
    return secrets.randbits(31)
