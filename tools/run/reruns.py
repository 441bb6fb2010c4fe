"""Runs failed cases again, Robot Framework's own way, and says what kind of failure each one is.

A failure that broke an invariant stays red however often the case passes afterwards: a class that was lost once was
lost. Only what broke none, such as an answer that never came, may turn green, and is then listed as flaky.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import orjson

from acceptance.datafiles import ROOT
from tools.report.results import Case, Results, read
from tools.run import cases, folder, pabot

TIMES = 3
MOST_RERUN = 60
FILE = "reruns.json"
NO_ANSWER = "unknown (no answer"


class Kind(StrEnum):
    """What reruns with the same seed make of a failure."""

    DETERMINISTIC = "deterministic"
    RACE = "race"
    FLAKY = "flaky"
    ENVIRONMENT = "environment"


@dataclass(frozen=True)
class Verdict:
    """How often a case failed in all its runs, the first one included."""

    test_id: str
    kind: Kind
    failed: int
    runs: int


def rerun(where: Path, found: Results, variables: dict[str, str], say: Callable[[str], None]) -> list[Verdict]:
    """Run the failed cases of a run up to three times more.

    Args:
        where: the run's folder; its output.xml is merged in place where a case may turn green.
        found: what came of the run.
        variables: Robot Framework's variables of the run.
        say: is told what goes on.

    Returns:
        One verdict per failed case that was run again; also written to ``reruns.json``.
    """
    failed = found.failures[:MOST_RERUN]
    if not failed:
        return []
    say(f"Running {len(failed)} failed cases again, {TIMES} times.")
    attempts = [_attempt(where, number, failed, variables) for number in range(1, TIMES + 1)]
    verdicts = [classify(case, [attempt[case.id] for attempt in attempts if case.id in attempt]) for case in failed]
    green = [case for case, verdict in zip(failed, verdicts, strict=True) if verdict.kind is Kind.FLAKY]
    if green:
        _merge(where, green)
    records = [{**vars(verdict), "rerun": TIMES} for verdict in verdicts]
    (where / FILE).write_bytes(orjson.dumps(records, option=orjson.OPT_INDENT_2))
    return verdicts


def classify(first: Case, again: list[Case]) -> Verdict:
    """Judge a failure by its reruns.

    Args:
        first: the failed case.
        again: the same case in each rerun.
    """
    failures = [first, *(case for case in again if case.status == "FAIL")]
    runs = 1 + len(again)
    if any(case.broke_an_invariant for case in failures):
        kind = Kind.DETERMINISTIC if len(failures) == runs else Kind.RACE
    elif all(NO_ANSWER in case.message for case in failures):
        kind = Kind.ENVIRONMENT
    else:
        kind = Kind.DETERMINISTIC if again and again[-1].status != "PASS" else Kind.FLAKY
    return Verdict(first.id, kind, len(failures), runs)


def _attempt(where: Path, number: int, failed: list[Case], variables: dict[str, str]) -> dict[str, Case]:
    """Run the failed cases once more in a folder of their own."""
    place = where / "reruns" / str(number)
    place.mkdir(parents=True)
    command = [sys.executable, "-m", "robot", "--name", pabot.NAME, "--outputdir", str(place), "--console", "none"]
    chosen = [word for case in failed for word in ("--test", case.name)]
    everything = len(failed) < MOST_RERUN
    command += ["--nostatusrc", *(["--rerunfailed", str(where / folder.OUTPUT)] if everything else chosen)]
    for source in dict.fromkeys(case.source for case in failed if case.source):  # the others need not be parsed
        command += ["--parseinclude", str(source)]
    for name, value in {**variables, "RUN_DIR": str(place)}.items():
        command += ["--variable", f"{name}:{value}"]
    subprocess.run([*command, str(cases.SUITES)], cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own
    return {case.id: case for case in read(place / folder.OUTPUT).cases}


def _merge(where: Path, green: list[Case]) -> None:
    """Merge the last rerun of the cases that may turn green into the run's own output, log and report."""
    last = where / "reruns" / str(TIMES)
    chosen = [word for case in green for word in ("--test", case.name)]
    rebot = [sys.executable, "-m", "robot.rebot", "--nostatusrc", "--loglevel", "INFO"]
    only = [*rebot, "--name", pabot.NAME, "--output", str(last / "green.xml"), "--log", "NONE", "--report", "NONE"]
    subprocess.run([*only, *chosen, str(last / folder.OUTPUT)], check=True, capture_output=True)  # noqa: S603 - our own
    merged = [*rebot, "--merge", "--outputdir", str(where), "--output", folder.OUTPUT, "--xunit", "xunit.xml"]
    inputs = [str(where / folder.OUTPUT), str(last / "green.xml")]
    subprocess.run([*merged, *inputs], check=True, capture_output=True)  # noqa: S603 - our own
