"""One run from its first check to its last word."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
from rich.console import Console

from acceptance import environment, invariants, rows
from acceptance.bench import run_digits
from acceptance.environment import Environment, Target
from acceptance.errors import SuiteError
from tools.report import results, writing
from tools.run import cases, folder, in_front, pabot, preflight, reruns, shards
from tools.run.machine import Sampler
from tools.run.progress import Watch
from tools.run.record import Arguments, Run
from tools.run.summary import summary

TICK_SECONDS = 0.2
STOP_SECONDS = 30
SHOWN = 5


def run(arguments: Arguments, console: Console) -> int:
    """Make the cases, run them, and say what came of it.

    Returns:
        The exit code.

    Raises:
        SuiteError: when it cannot be done; nothing has been written to the target then.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a CI job that is cancelled ends as with Ctrl-C
    chosen = preflight.writable(arguments.env, [path.resolve() for path in arguments.sql])
    invariants.described()  # a check without its words is found now, not when it has found something
    if arguments.pabotlib:
        pabot.check_pabotlib(arguments.pabotlib)
    with cases.alone(), console.status("Looking at the target ...") as status:
        target = environment.connect(chosen, [path.resolve() for path in arguments.overlays])
        with closing(target):
            preflight.check(target)
            for line in preflight.found(target):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            status.update("Making the cases ...")
            if chosen.users_given and arguments.processes > 1:
                arguments = replace(arguments, processes=1)
                console.print(f"{chosen.name} gives its users, and one worker at a time has them: --processes 1.")
            table, planned = _cases(arguments)
            this = _begin(arguments, chosen, table, planned)
            this.write()
            status.stop()
            part = f" (shard {arguments.shard} of the run)" if arguments.shard else ""
            told = f"{len(this.planned)} cases{part} on {chosen.name}, {arguments.processes} workers: {this.folder}"
            console.print(told, highlight=False, soft_wrap=True)
            console.print(f"  {cases.kinds(this.planned)}", highlight=False, soft_wrap=True)
            with in_front.network(target):
                with Sampler(this.folder, target):
                    _execute(this, console)
                _read(this)
                if not this.interrupted:
                    _run_failed_again(this, console)
                    _draw(this, console)
            _remove_rows(this, target, console)
    return _conclude(this, console)


def _cases(arguments: Arguments) -> tuple[Path | None, set[str]]:
    """Make the generated cases unless only the others are wanted, and name all that will run."""
    planned = cases.written_by_hand(arguments.include)
    if arguments.priority and not planned:
        raise SuiteError(f"{cases.SUITES}: no test has the tag {arguments.include!r}.")
    if arguments.priority:
        return None, planned
    wish = cases.Wish(
        arguments.count, arguments.seed, arguments.env, arguments.category, arguments.full, arguments.processes
    )
    table, path = cases.generate(wish)
    return path, planned | {case["test_id"] for case in table["cases"]}


def _begin(arguments: Arguments, chosen: Environment, table: Path | None, planned: set[str]) -> Run:
    """Make the run's folder with its cases in it, and of a shard with the whole split."""
    shard = arguments.shard
    if shard is None:
        this = Run(arguments, chosen, folder.create(), planned)
    else:
        known = orjson.loads(table.read_bytes()) if table else None
        parts = shards.split(known, cases.by_hand(arguments.include), shard.of)
        place = folder.create(fits=lambda name: shards.fits(name, shard))
        this = Run(arguments, chosen, place, set(parts[shard.index - 1]))
        shards.write(place, shard, parts, shards.digest(table, arguments.overlays))
        for number, overlay in enumerate(arguments.overlays, 1):
            (place / folder.OVERLAYS / str(number)).mkdir(parents=True)
            shutil.copy(overlay, place / folder.OVERLAYS / str(number))
    if table is not None:
        shutil.copyfile(table, this.folder / folder.TABLE)
    return this


def _execute(this: Run, console: Console) -> None:
    """Run pabot to its end, or to an end in good order after a Ctrl-C."""
    arguments = this.arguments
    variables = _variables(this)
    include = [arguments.include] if arguments.include else []
    pipe, total = this.folder / ".progress", len(this.planned)
    began = time.monotonic()
    with Watch(pipe, total, console) as watch:
        process = pabot.start(
            this.folder,
            cases.SUITES,
            arguments.processes,
            variables,
            include,
            pipe,
            total,
            shard=this.folder / shards.FILE if arguments.shard else None,
            pabotlib=arguments.pabotlib,
        )
        try:
            while process.poll() is None:
                watch.wait(TICK_SECONDS)
        except KeyboardInterrupt:
            this.interrupted = True
            watch.say("Stopping: the running cases are brought to an end. Ctrl-C again stops at once.")
            _stop(process, watch)
        except BaseException:
            pabot.kill(process)
            raise
    this.seconds = time.monotonic() - began


def _variables(this: Run) -> dict[str, str]:
    """Name the Robot Framework variables that every worker of the run gets."""
    variables = {"ENV": this.arguments.env, "RUN_DIR": str(this.folder), "RUN_NAME": this.folder.name}
    if this.arguments.overlays:
        variables["OVERLAY"] = ",".join(str(path.resolve()) for path in this.arguments.overlays)
    if this.arguments.sql:
        variables["SQL"] = ",".join(str(path.resolve()) for path in this.arguments.sql)
    return variables


def _read(this: Run) -> None:
    output = this.folder / folder.OUTPUT
    if output.is_file():
        this.results = results.read(output)


def _run_failed_again(this: Run, console: Console) -> None:
    """Run failed cases again, and read the results once more where some turned green."""

    def say(words: str) -> None:
        console.print(words, markup=False, highlight=False)

    verdicts = reruns.rerun(this.folder, this.results, _variables(this), say)
    for kind in reruns.Kind:
        if names := [verdict.test_id for verdict in verdicts if verdict.kind is kind]:
            say(f"  {kind}: {len(names)} ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})")
    this.flaky = sum(verdict.kind is reruns.Kind.FLAKY for verdict in verdicts)
    _read(this)


def _draw(this: Run, console: Console) -> None:
    """Let the random lane draw as many programs as are wanted; what it finds counts for the run."""
    arguments = this.arguments
    if arguments.draws:
        from tools.draws import job as draws

        first, count = shards.share(arguments.draws, arguments.shard) if arguments.shard else (1, arguments.draws)
        if not count:
            return
        wish = draws.Wish(
            count,
            draws.fresh_seed(),
            arguments.env,
            arguments.processes,
            tuple(arguments.overlays),
            first,
            tuple(arguments.sql),
        )
        tally = draws.draw(wish, this.folder, console)
        this.drawn = tally.exit_code
        for line in tally.lines():
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _stop(process: subprocess.Popen[bytes], watch: Watch) -> None:
    until = time.monotonic() + STOP_SECONDS
    asked: set[int] = set()
    try:
        while process.poll() is None and time.monotonic() < until:
            pabot.stop(process, asked)
            watch.wait(TICK_SECONDS)
    except KeyboardInterrupt:
        watch.say("Stopping at once.")
    if process.poll() is None:
        pabot.kill(process)


def _remove_rows(this: Run, target: Target, console: Console) -> None:
    """Remove what stopped or dead workers left behind; a finished case has removed its own rows."""
    try:
        with preflight.connected(target) as connection:
            rows.remove_rows(connection, run_digits(this.folder.name))
    except SuiteError as error:
        console.print(f"The run's rows could not be removed; `clean` does it later. {error}", markup=False)


def _conclude(this: Run, console: Console) -> int:
    """Judge what was written, keep it, and say it."""
    pabot.tidy(this.folder, keep=bool(this.lost))
    this.write()
    for line in summary(this):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    reports = writing.write(this.folder, this.results)
    writing.step_summary(reports)
    for line in writing.lines(reports):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return this.exit_code
