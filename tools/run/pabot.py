"""Starts pabot on the suites, and stops it so that nothing that was done is lost."""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import psutil
from robot.api import TestSuite

from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from tools.run import shards, worker

NAME = "Pilates"
ORDER = ".order"
FILES = ".files"
GENERATED = "generated"
SECONDS = 5
LISTENER = Path(__file__).parent / "progress_listener.py"
SHARED = Path(__file__).parent / "shared_listener.py"
ONLY = Path(__file__).parent / "only_modifier.py"
# Above this many cases the steps of passed tests are left out of output.xml and log.html: with them, merging 5,714
# cases took half a gigabyte.
MOST_WITH_ALL_STEPS = 5000
# Seconds of cases, as shards.py estimates them, until a fresh worker takes over: what a worker has parsed, it keeps.
MOST_OF_A_WORKER = 120


def start(
    folder: Path,
    suites: Path,
    processes: int,
    variables: dict[str, str],
    include: Sequence[str],
    pipe: Path,
    total: int,
    *,
    shard: Path | None = None,
    pabotlib: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start pabot.

    Args:
        folder: the run's folder; pabot writes output.xml, log.html, report.html and xunit.xml there.
        suites: the folder of the suites, or one file.
        processes: how many workers.
        variables: Robot Framework variables for each worker.
        include: tag patterns; empty for every test.
        pipe: the named pipe that the listener writes to.
        total: the number of cases.
        shard: the ``shard.json`` that names the tests to run; None for all.
        pabotlib: HOST:PORT of a remote server of PabotLib's that runs somewhere already; None for none.
    """
    # A fixed --name keeps --rerunfailed and rebot --merge possible; no pabotlib of our own: our workers share nothing.
    command = [sys.executable, "-m", "pabot.pabot", "--processes", str(processes)]
    files = _files(suites)
    (folder / FILES).write_bytes(orjson.dumps({name: str(path) for name, path in files.items()}))
    command += ["--ordering", str(_deal(files, processes, folder / ORDER))]
    # By its name and the PATH below: pabot would take a blank in a path for the end of a word.
    command += ["--command", Path(sys.executable).name, "-m", "tools.run.worker", "--end-command"]
    if pabotlib:
        host, _, port = pabotlib.rpartition(":")
        command += ["--pabotlibhost", host, "--pabotlibport", port, "--listener", str(SHARED)]
    else:
        command += ["--no-pabotlib"]
    if shard:
        command += ["--prerunmodifier", f"{ONLY};{shard}"]  # a semicolon: then colons in paths do no harm
    command += ["--name", NAME, "--outputdir", str(folder), "--xunit", "xunit.xml"]
    command += ["--listener", str(LISTENER), "--console", "quiet"]
    for name, value in variables.items():
        command += ["--variable", f"{name}:{value}"]
    for pattern in include:
        command += ["--include", pattern]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        worker.FILES: str(folder / FILES),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "libraries")]),
        "PILATES_PROGRESS": str(pipe),
        **({"PILATES_PABOTLIB": pabotlib} if pabotlib else {}),
        **({worker.SHORT: "yes"} if total > MOST_WITH_ALL_STEPS else {}),
    }
    with (folder / "pabot.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own command line
            [*command, str(suites)],
            cwd=folder,  # .pabotsuitenames is written here, new for each run, and never goes stale
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A Ctrl-C is for us alone: pabot would overwrite its workers' results with a dry run's.
            start_new_session=True,
        )


def _deal(files: dict[str, Path], processes: int, path: Path) -> Path:
    """Deal the suites to the workers by what they cost, and write it as an ordering file of pabot's; return its path.

    In heaps of neighbours (``--chunk``) one worker would still be busy when all others have ended. A long run is dealt
    out in rounds, to as many workers in each.
    """
    costs = {name: shards.cost_of_file(file) for name, file in files.items()}
    rounds = max(1, math.ceil(sum(costs.values()) / processes / MOST_OF_A_WORKER))
    heaps = shards.deal(((cost, name) for name, cost in costs.items()), min(rounds * processes, len(files)))
    lines = [line for heap in heaps for line in ("{", *(f"--suite {name}" for name in heap), "}")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _files(suites: Path) -> dict[str, Path]:
    """Name all suites with their files; the generated ones, which are many, without reading them."""
    if suites.is_file():
        return {NAME: suites}
    found: dict[str, Path] = {}
    for place in sorted(suites.iterdir()):
        if place == suites / GENERATED:
            name = TestSuite.name_from_source(place)
            files = sorted(place.glob("*.robot"))
            found |= {f"{NAME}.{name}.{TestSuite.name_from_source(path)}": path for path in files}
        elif place.is_dir() or (place.suffix == ".robot" and not place.stem.startswith("__")):
            suite = TestSuite.from_file_system(place, allow_empty_suite=True)
            found |= {f"{NAME}.{leaf.full_name}": leaf.source for leaf in _leaves(suite) if leaf.source}
    return found


def _leaves(suite: TestSuite) -> Iterator[TestSuite]:
    """List the files among the suites."""
    if suite.suites:
        for child in suite.suites:
            yield from _leaves(child)
    elif suite.tests:
        yield suite


def check_pabotlib(address: str) -> None:
    """Look whether somebody listens where PabotLib's server is said to be.

    Raises:
        SuiteError: when nobody does.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=SECONDS).close()
    except (OSError, OverflowError) as error:
        words = f"start it there with: python -m pabot.pabotlib shared.ini {host} {port}"
        raise SuiteError(f"--pabotlib {address}: nobody answers ({error}); {words}") from None


def stop(process: subprocess.Popen[bytes], asked: set[int]) -> None:
    """Ask each worker once to bring its running case to an end; pabot then merges what there is, as always.

    Args:
        process: pabot.
        asked: the workers asked already; a second signal would end them at once.
    """
    for child in _children(process):
        if child.pid not in asked and _is_worker(child):
            asked.add(child.pid)
            _send(child, signal.SIGINT)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End pabot and its workers at once."""
    children = _children(process)
    process.kill()
    process.wait()
    for child in children:
        _send(child, signal.SIGKILL)
    psutil.wait_procs(children)


def tidy(folder: Path, keep: bool) -> None:
    """Remove what pabot leaves beside its results; ``keep`` the workers' own outputs where those are incomplete."""
    for name in (".pabotsuitenames", ORDER, FILES):
        (folder / name).unlink(missing_ok=True)
    if not keep:
        shutil.rmtree(folder / "pabot_results", ignore_errors=True)


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []


def _is_worker(child: psutil.Process) -> bool:
    """Tell a worker from pabot's own rebot."""
    try:
        return any(part.endswith("_argfile.txt") for part in child.cmdline())
    except psutil.NoSuchProcess:
        return False


def _send(child: psutil.Process, number: signal.Signals) -> None:
    try:
        child.send_signal(number)
    except psutil.NoSuchProcess:
        return
