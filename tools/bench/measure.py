"""Runs a command and measures what it costs: seconds, CPU of each part, memory."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from acceptance.embedded import Studio
from acceptance.errors import SuiteError

SAMPLE_SECONDS = 0.25
MEGABYTE = 1024 * 1024
SAID = 2000  # characters of what a failed command said


@dataclass
class Cost:
    """What a command cost: wall-clock seconds, CPU seconds by part, and the most memory in megabytes.

    ``memory`` is that of the command's processes together (shared pages counted once), ``largest`` that of one of them.
    """

    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    memory: float = 0.0
    largest: float = 0.0


def run(command: Sequence[str], folder: Path, studio: Studio, **variables: str) -> Cost:
    """Run a command to its end beside a studio that is running already.

    Raises:
        SuiteError: when it does not end with exit code 0; carries the last of what it said.
    """
    cost, before = Cost(), _servers(studio)
    began = time.monotonic()
    with (folder / "said.txt").open("wb") as said:
        environment = {**os.environ, **variables}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT)  # noqa: S603
        with _memory_of(process.pid, cost):
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    cost.seconds = time.monotonic() - began
    if process.returncode:
        words = (folder / "said.txt").read_text(errors="replace")[-SAID:]
        raise SuiteError(f"{' '.join(command)}: exit code {process.returncode}:\n{words}")
    after = _servers(studio)
    cost.cpu = {"driver": usage.ru_utime + usage.ru_stime, **{part: after[part] - before[part] for part in after}}
    return cost


def _servers(studio: Studio) -> dict[str, float]:
    """Return the CPU seconds that each part of the studio has used so far."""
    supervisor = psutil.Process(studio.gateway_pid).parent()
    used = {"gateway": 0.0, "PostgreSQL": 0.0, "network": 0.0, "calendar": 0.0}
    for process in supervisor.children() if supervisor else ():
        used[_part(process, studio)] += _with_children(process)
    return used


def _part(process: psutil.Process, studio: Studio) -> str:
    if process.pid == studio.gateway_pid:
        return "gateway"
    if process.pid == studio.postgres_pid or "postgres" in process.name():
        return "PostgreSQL"
    return "calendar" if "calendar_" in " ".join(process.cmdline()) else "network"


def _with_children(process: psutil.Process) -> float:
    """Sum a process, those of its children that have ended, and those that have not."""
    times = process.cpu_times()
    seconds: float = times.user + times.system + times.children_user + times.children_system
    for child in process.children():
        with suppress(psutil.Error):
            seconds += sum(child.cpu_times()[:2])
    return seconds


@contextmanager
def _memory_of(pid: int, cost: Cost) -> Iterator[None]:
    """Look at the memory of a process and all below it as long as the context lasts."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            sizes = []
            with suppress(psutil.Error):
                whole = psutil.Process(pid)
                for process in (whole, *whole.children(recursive=True)):
                    with suppress(psutil.Error):
                        sizes.append(process.memory_full_info().pss / MEGABYTE)
            cost.memory, cost.largest = max(cost.memory, sum(sizes)), max(cost.largest, *sizes, 0.0)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
