"""One load from its first row to its last word: makes the rows, starts Locust, judges what it left, removes it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from acceptance import environment, rows
from acceptance.bench import run_digits, understand
from acceptance.datafiles import ROOT
from acceptance.environment import Target
from acceptance.errors import SuiteError
from acceptance.model import Operation
from tools.load import scene, speech
from tools.load.conclusion import CLEAN, COULD_NOT_RUN, conclude
from tools.load.scene import Plan
from tools.load.wish import LOCAL, Ran, Wish
from tools.run import folder, preflight
from tools.studio.processes import end, end_with_parent

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
TIME = re.compile(r"(?=.)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
TICK_SECONDS = 0.2
SHOWN_SECONDS = 2.0
LAST_TASK_SECONDS = 10  # a user may bring its task to an end
STOP_SECONDS = 60
CONNECT_SECONDS = 60
STOPS = {signal.SIGINT, signal.SIGTERM}


def seconds_of(words: str) -> int | None:
    """Read a duration such as "30s", "5m" or "1h30m"; None for "0", which has no end.

    Raises:
        SuiteError: when it is none.
    """
    if words == "0":
        return None
    match = TIME.fullmatch(words)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    if not (total := hours * 3600 + minutes * 60 + seconds):
        raise SuiteError(f"--time {words!r} is no duration; say for example 30s, 5m or 1h30m.")
    return total


def run(wish: Wish, console: Console) -> int:
    """Make a load and judge it.

    Returns:
        0 when every class adds up and no request failed, 1 otherwise, 2 when workers got lost on the way.

    Raises:
        SuiteError: when it cannot be done; no row stays then.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a CI job that is cancelled ends as with Ctrl-C
    chosen = preflight.writable(wish.env, wish.sql)
    if chosen.users_given:
        raise SuiteError(
            f"{environment.FILE}: {chosen.name}: a load makes its own members; give the jwt_secret for it."
        )
    distributed = bool(wish.workers or wish.expect_workers)
    host = "0.0.0.0" if wish.expect_workers else LOCAL  # noqa: S104 - workers of other machines are expected
    port = wish.master_port if wish.expect_workers else _free_port()
    if distributed:
        _check_port(host, port, "--master-port")
    if wish.web_port:
        _check_port(LOCAL, wish.web_port, "--web-port")
    with ExitStack() as stack:
        target = environment.connect(chosen, [path.resolve() for path in wish.overlays])
        stack.enter_context(closing(target))
        preflight.check(target)
        connection = stack.enter_context(preflight.connected(target))
        connection.cursor().execute("set time zone 'UTC'")
        catalogue, contract = understand(connection, chosen)
        chosen = target.environment = replace(chosen, zone=contract.zone or chosen.zone)
        contract.need(Operation.BOOK)
        operations = speech.operations(contract)
        place = folder.create(latest=False) / "load"
        (place / "answers").mkdir(parents=True)
        plan = Plan(run_digits(place.parent.name), chosen.name, wish.seed, wish.traffic, wish.think, 1, operations)
        plan.contract = speech.packed(contract)
        plan.workers = max(1, wish.workers + wish.expect_workers)
        stack.callback(_remove_rows, target, plan.run, console)
        made = scene.make(connection, catalogue, contract, plan, chosen, wish.members, wish.classes)
        plan.write(place / "plan.json")
        desk = " and the front desk" if "secretary" in plan.staff else ""
        console.print(f"{wish.users} users are {wish.members} members{desk}: {place}", highlight=False)
        ran = _drive(wish, target, place, host, port, console, users=[] if desk else ["Member"])
        return conclude(wish, target, connection, catalogue, contract, made, ran, place, console)


def work(wish: Wish, console: Console) -> int:
    """Be one worker for a master on another machine, until the master is done.

    Returns:
        0 when the master ended it, 2 otherwise.

    Raises:
        SuiteError: when the environment cannot be used.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = preflight.writable(wish.env)
    with closing(environment.connect(chosen, [path.resolve() for path in wish.overlays])) as target:
        preflight.check_api(target)
        console.print(f"Worker of {wish.master_host}:{wish.master_port} on {chosen.name}; Ctrl-C ends it.")
        arguments = ["--worker", "--master-host", wish.master_host, "--master-port", str(wish.master_port)]
        process = _start(arguments, target, None, "remote", None)
        try:
            code = process.wait()
        except KeyboardInterrupt:
            end(process, signal.SIGINT)
            code = COULD_NOT_RUN
        finally:
            end(process, signal.SIGKILL)
        return CLEAN if code == 0 else COULD_NOT_RUN


# --- Locust's processes ----------------------------------------------------------------------------------------------


def _drive(wish: Wish, target: Target, place: Path, host: str, port: int, console: Console, *, users: list[str]) -> Ran:
    """Run Locust to its end, or to an end in good order after a Ctrl-C; nothing of it is left alive."""
    ran, began = Ran(), time.monotonic()
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        with _signals_wait():
            distributed = _master_arguments(wish, host, port)
            processes["locust"] = _start(_arguments(wish, place) + distributed + users, target, place, "locust", place)
            for number in range(1, wish.workers + 1):
                name = f"worker-{number}"
                arguments = ["--worker", "--master-host", LOCAL, "--master-port", str(port)]
                processes[name] = _start(arguments, target, place, name, place)
        try:
            _watch(processes["locust"], wish, place, console)
        except KeyboardInterrupt:
            ran.interrupted = True
            console.print("Stopping: the users bring their tasks to an end. Ctrl-C again stops at once.")
            processes["locust"].send_signal(signal.SIGINT)
            _wait_for(processes["locust"], console)
        for process in processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(LAST_TASK_SECONDS)
    finally:
        for process in reversed(processes.values()):
            end(process, signal.SIGKILL)
    ran.seconds = time.monotonic() - began
    ran.trouble = [
        f"{name} ended with {p.returncode}; see {place / name}.log" for name, p in processes.items() if p.returncode
    ]
    path = place / "locust_stats.csv"
    if path.is_file():
        with path.open(newline="") as file:
            ran.stats = list(csv.DictReader(file))
    return ran


def _arguments(wish: Wish, place: Path) -> list[str]:
    arguments = ["--users", str(wish.users), "--spawn-rate", str(wish.spawn_rate), "--only-summary"]
    arguments += ["--stop-timeout", str(LAST_TASK_SECONDS), "--exit-code-on-error", "0"]
    arguments += ["--csv", str(place / "locust"), "--csv-full-history", "--html", str(place / "locust.html")]
    if wish.seconds is not None:
        arguments += ["--run-time", f"{wish.seconds}s"]
    if wish.web_port:
        return [*arguments, "--autostart", "--autoquit", "0", "--web-host", LOCAL, "--web-port", str(wish.web_port)]
    return [*arguments, "--headless"]


def _master_arguments(wish: Wish, host: str, port: int) -> list[str]:
    expected = wish.workers + wish.expect_workers
    if not expected:
        return []
    arguments = ["--master", "--master-bind-host", host, "--master-bind-port", str(port)]
    arguments += ["--expect-workers", str(expected)]
    if not wish.expect_workers:
        arguments += ["--expect-workers-max-wait", str(CONNECT_SECONDS)]
    return arguments


def _start(
    arguments: list[str], target: Target, place: Path | None, name: str, log: Path | None
) -> subprocess.Popen[bytes]:
    """Start one process of Locust; what it must not show to others reaches it by its environment."""
    told = {
        "environment": target.environment.name,
        "api_url": target.api_url,
        "jwt_secret": target.jwt_secret,
        "api_key": target.api_key,
        "ca_file": target.ca_file,
        "use_proxies": target.lease is None,
        "folder": str(place) if place else None,
        "name": name,
    }
    ours = {key: value for key, value in os.environ.items() if not key.startswith("LOCUST_")}
    ours |= {"PILATES_LOAD": json.dumps(told), "PYTHONUNBUFFERED": "1"}
    ours["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "libraries")])
    command = [sys.executable, "-P", "-m", "locust", "--locustfile", str(LOCUSTFILE), *arguments]
    output: Any = None
    if log is not None:
        output = (log / f"{name}.log").open("wb")
    try:
        return subprocess.Popen(  # noqa: S603 - Locust with our own locustfile
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            env=ours,
            cwd=log,
            start_new_session=True,  # a Ctrl-C is ours to pass on
            preexec_fn=_arrange(end_with_parent(signal.SIGKILL)),
        )
    finally:
        if output is not None:
            output.close()


def _arrange(die: Callable[[], None] | None) -> Callable[[], None]:
    def arrange() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job has it ignored
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)  # held back while we were being started
        if die is not None:
            die()

    return arrange


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold back Ctrl-C while processes are started, so that none is started and then forgotten."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _watch(process: subprocess.Popen[bytes], wish: Wish, place: Path, console: Console) -> None:
    """Show how far it is, until Locust ends."""
    history, shown = place / "locust_stats_history.csv", time.monotonic()
    with console.status("Starting Locust ...") as status:
        while process.poll() is None:
            time.sleep(TICK_SECONDS)
            words = _progress(history, wish)
            status.update(words)
            if not console.is_terminal and time.monotonic() - shown >= SHOWN_SECONDS:
                shown = time.monotonic()
                console.print(words, highlight=False, markup=False, soft_wrap=True)


def _progress(history: Path, wish: Wish) -> str:
    """Put the newest line of Locust's own history into words."""
    newest = None
    if history.is_file():
        with history.open(newline="") as file:
            for row in csv.DictReader(file):
                if row["Name"] == "Aggregated":
                    newest = row
    if newest is None or not newest.get("Total Failure Count"):
        expected = wish.workers + wish.expect_workers
        return f"waiting for {expected} workers" if expected else "starting"
    words = f"{newest['User Count']}/{wish.users} users, {newest['Total Request Count']} requests"
    words += f", {float(newest['Requests/s']):.0f}/s, {newest['Total Failure Count']} failed"
    return f"running: {words}" + (f", {wish.seconds} s in all" if wish.seconds else ", until Ctrl-C")


def _wait_for(process: subprocess.Popen[bytes], console: Console) -> None:
    try:
        process.wait(STOP_SECONDS)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        console.print("Stopping at once.")


def _free_port() -> int:
    with closing(socket.create_server((LOCAL, 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


def _check_port(host: str, port: int, option: str) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise SuiteError(f"{option} {port}: cannot be used ({error.strerror}); choose another.") from None


def _remove_rows(target: Target, run: str, console: Console) -> None:
    """Remove all rows of the load."""
    try:
        with preflight.connected(target) as connection:
            rows.remove_rows(connection, run)
    except SuiteError as error:
        console.print(f"The load's rows could not be removed; `clean` does it later. {error}", markup=False)
