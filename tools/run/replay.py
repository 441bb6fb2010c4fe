"""Runs one case of an earlier run again: same seed, same rows, same order, with everything logged."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from acceptance import environment
from acceptance.cases import load_table
from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from tools import generator
from tools.report import results
from tools.run import cases, folder, in_front, pabot, preflight

MODIFIER = Path(__file__).parent / "repeat_modifier.py"
PASSED, FAILED, COULD_NOT_RUN = 0, 1, 2


def replay(test_id: str, run: str, times: int, console: Console) -> int:
    """Run a case again and say how often it failed.

    Args:
        test_id: for example ``T-000001`` or ``T-CONC-001``.
        run: the name or folder of the run that it is taken from, with that run's environment and overlays.
        times: how often.
        console: where to say it.

    Returns:
        0 when it passed every time, 1 when it failed, 2 when it could not run.

    Raises:
        SuiteError: when the run has no such case or the target cannot be reached.
    """
    where = folder.find(run)
    arguments = orjson.loads((where / folder.RECORD).read_bytes())["arguments"]
    place = where / "replays" / f"{test_id}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    suite = _suite(test_id, where, place)
    overlays = [Path(path) for path in arguments["overlays"]]
    sql = [Path(path) for path in arguments.get("sql", ())]
    target = environment.connect(preflight.writable(arguments["env"], sql), overlays)
    with closing(target):
        preflight.check(target)
        variables = {"ENV": arguments["env"], "RUN_DIR": str(place), "OVERLAY": ",".join(map(str, overlays))}
        variables["SQL"] = ",".join(map(str, sql))
        command = [sys.executable, "-m", "robot", "--name", pabot.NAME, "--outputdir", str(place)]
        command += ["--loglevel", "DEBUG", "--console", "quiet", "--test", f"{test_id} *"]
        command += ["--prerunmodifier", f"{MODIFIER}:{times}"]
        command += [word for name, value in variables.items() for word in ("--variable", f"{name}:{value}")]
        with in_front.network(target):
            done = subprocess.run([*command, str(suite)], cwd=ROOT, check=False)  # noqa: S603 - our own command line
    output = place / folder.OUTPUT
    if not output.is_file():
        raise SuiteError(f"{place}: robot ended with {done.returncode} and left no output.")
    return _conclude(results.read(output), place, console)


def _suite(test_id: str, where: Path, place: Path) -> Path:
    """Return the suite that holds the case, written from the run's own table where it was generated."""
    record = _record(test_id, where)
    place.mkdir(parents=True)
    if record is None:
        return cases.SUITES
    table = {"generator": {"seed": record["seed"], "count": 1}, "cases": [record]}
    resource = str(ROOT / "resources" / "studio.resource")
    return generator.write_suites(table, place / "suite", resource=resource)[0]


def _record(test_id: str, where: Path) -> dict[str, Any] | None:
    """Find the record of a generated case; None for one that is written by hand.

    Raises:
        SuiteError: when there is no such case.
    """
    tables = [where / name for name in (folder.TABLE, folder.DRAWN) if (where / name).is_file()]
    records = [record for table in tables for record in load_table(table)["cases"]]
    found = next((record for record in records if record["test_id"] == test_id), None)
    if found is None and test_id not in cases.written_by_hand(None):
        raise SuiteError(f"{where}: there is no case {test_id!r} in this run; name another run with --run.")
    return found


def _conclude(found: results.Results, place: Path, console: Console) -> int:
    failed = found.failures
    for case in failed[:1]:
        console.print(case.message, markup=False, highlight=False, soft_wrap=True)
    times = len(found.cases)
    words = f"{len(failed)} of {times} failed" if failed else f"passed {found.counts['PASS']} of {times}"
    console.print(f"{words}. Log: {place / 'log.html'}", markup=False, highlight=False, soft_wrap=True)
    if failed:
        return FAILED
    return PASSED if found.counts["PASS"] == times else COULD_NOT_RUN
