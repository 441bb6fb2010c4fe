"""Tries all overlays in parallel, and says what the suite would have found."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import connection as wires
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from rich.console import Console

from acceptance import embedded
from acceptance.errors import SuiteError
from tools.prove import overlays, plan, score, stand, trial
from tools.prove.trial import Outcome, Verdict
from tools.run import folder
from tools.studio import supervisor
from tools.studio.processes import end_with_parent

GRACE_SECONDS = 1
LONGEST_SECONDS = 240  # for one overlay; who takes longer hangs
COULD_NOT_RUN = 2
INTERRUPTED = 130
MATRIX_WIDTH = 150  # one column an invariant; narrower, its words would be cut


@dataclass(frozen=True)
class Wish:
    """What is to be tried."""

    mutants: tuple[str, ...] = ()
    family: str | None = None
    files: tuple[Path, ...] = ()
    processes: int = 2
    full: bool = False
    replays: int = trial.REPLAYS


def run(wish: Wish, console: Console) -> int:
    """Try overlays, write ``prove.json`` and ``prove.md``, and say the score.

    Returns:
        0 when every non-equivalent mutant is killed and no control is red, 1 otherwise, 2 when some could not be tried.

    Raises:
        SuiteError: when the studio does not start, or an overlay is not there.
    """
    began = time.monotonic()
    chosen = overlays.choose(list(wish.mutants), wish.family, list(wish.files))
    place = folder.create(latest=False)
    console.print(f"{len(chosen)} overlays, {wish.processes} at once: {place}", highlight=False, soft_wrap=True)
    studio = embedded.attach(Path(supervisor.__file__), private=True, grace=GRACE_SECONDS)
    with closing(studio):
        access = stand.Access(studio, secrets.token_hex(16), secrets.token_hex(16))
        access.set_passwords()
        general = plan.make(place / "suite")
        verdicts: list[Verdict] = []
        try:
            for verdict in _verdicts(chosen, general, access, place, wish):
                verdicts.append(verdict)
                score.write(place, verdicts, time.monotonic() - began)  # so that nothing is lost with us
                console.print(_line(verdict, len(verdicts), len(chosen)), markup=False, highlight=False, soft_wrap=True)
        except KeyboardInterrupt:
            console.print("Stopped; what was tried so far is written.", highlight=False)
            return INTERRUPTED
    report = score.write(place, verdicts, time.monotonic() - began)
    if score.matrix(verdicts):
        console.width = max(console.width, MATRIX_WIDTH)
        console.print(score.table(verdicts))
    for line in score.summary(verdicts, time.monotonic() - began):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"Report: {report}", markup=False, highlight=False, soft_wrap=True)
    return score.exit_code(verdicts)


def _line(verdict: Verdict, number: int, total: int) -> str:
    told = f"{number:>4}/{total} {verdict.outcome:<10} {verdict.seconds:6.1f} s  {verdict.id}"
    if verdict.test:
        told += f"  {', '.join(verdict.broke)}  {verdict.test.partition(' ')[0]} (test {verdict.tests})"
    if verdict.outcome is Outcome.BROKEN:
        told += f"  {verdict.errors[0] if verdict.errors else ''}"
    return told


@dataclass
class _Worker:
    process: BaseProcess
    wire: Connection
    at: overlays.Overlay | None = None
    since: float = 0.0


def _verdicts(
    chosen: list[overlays.Overlay], general: plan.Plan, access: stand.Access, place: Path, wish: Wish
) -> Iterator[Verdict]:
    """Hand out the overlays, the long ones first, and yield what comes back."""
    queue = sorted(chosen, key=lambda one: (not one.is_control, bool(one.equivalent)))
    with _workers(min(wish.processes, len(queue)), general, access, place, wish) as (workers, hire):
        for worker in workers:
            _give(worker, queue)
        while any(worker.at for worker in workers):
            busy = [worker for worker in workers if worker.at]
            ready = wires.wait([worker.wire for worker in busy], timeout=1)
            for worker in busy:
                if worker.wire in ready or time.monotonic() - worker.since > LONGEST_SECONDS:
                    verdict = _heard(worker, worker.wire in ready)
                    if verdict is None:
                        verdict = _lost(worker)
                        workers[workers.index(worker)] = worker = hire()
                    yield verdict
                    _give(worker, queue)


def _give(worker: _Worker, queue: list[overlays.Overlay]) -> None:
    worker.at = queue.pop(0) if queue else None
    worker.since = time.monotonic()
    worker.wire.send(worker.at)


def _heard(worker: _Worker, ready: bool) -> Verdict | None:
    try:
        return worker.wire.recv() if ready else None
    except (EOFError, ConnectionError):
        return None


def _lost(worker: _Worker) -> Verdict:
    """End a worker that hangs, or bury one that died, and say so of its overlay."""
    died = not worker.process.is_alive()
    _end(worker)
    words = f"the worker died ({worker.process.exitcode})" if died else f"no verdict within {LONGEST_SECONDS} s"
    overlay = worker.at
    if overlay is None:
        raise SuiteError(words)
    return Verdict(overlay.id, overlay.family, Outcome.BROKEN, errors=[words], seconds=time.monotonic() - worker.since)


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.wire.close()


@contextmanager
def _workers(
    number: int, general: plan.Plan, access: stand.Access, place: Path, wish: Wish
) -> Iterator[tuple[list[_Worker], Callable[[], _Worker]]]:
    """Keep workers; whatever happens, none of them and of their databases is left."""
    context = multiprocessing.get_context("fork")
    everyone: list[_Worker] = []

    def hire() -> _Worker:
        ours, theirs = context.Pipe()
        name = f"worker-{len(everyone) + 1}"
        process = context.Process(
            target=_work,
            args=(theirs, general, access, place, name, wish, end_with_parent(signal.SIGKILL)),
            name=name,
        )
        process.start()
        theirs.close()
        everyone.append(_Worker(process, ours))
        return everyone[-1]

    try:
        yield [hire() for _ in range(number)], hire
        for worker in everyone:
            if worker.process.is_alive():
                worker.process.join(5)
    finally:
        for worker in everyone:
            if worker.process.is_alive():
                _end(worker)


def _work(
    wire: Connection,
    general: plan.Plan,
    access: stand.Access,
    place: Path,
    name: str,
    wish: Wish,
    arrange: Callable[[], None] | None,
) -> None:
    """Be a worker until there is nothing left to try; Ctrl-C is for our parent, which then ends us."""
    os.setsid()
    if arrange is not None:
        arrange()
    try:
        mine = stand.Stand(access, place / f"{name}.log", place / "overlays")
        with closing(mine):
            mine.wait()
            while (overlay := wire.recv()) is not None:
                wire.send(trial.put_to_the_test(mine, general, overlay, wish.replays, full=wish.full))
    except EOFError:
        pass  # our parent has gone
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        raise
