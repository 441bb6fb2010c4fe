"""One load from its first row to its last word: makes the rows, starts Locust, judges what it left, removes it."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import requests
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case
from rich.console import Console

from acceptance import environment, rows, snapshot
from acceptance.bench import read_operations, run_digits
from acceptance.client import Caller, Outcome, Request, call, token
from acceptance.datafiles import ROOT, devices
from acceptance.environment import Target
from acceptance.errors import SuiteError
from acceptance.invariants import Breach, Facts, View, check
from acceptance.network import Network
from tools import verify
from tools.load import checking, scene
from tools.load.scene import Plan, Scene, Traffic
from tools.run import folder, preflight
from tools.studio.processes import end, end_with_parent

CLEAN, FINDINGS, COULD_NOT_RUN = 0, 1, 2
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
TIME = re.compile(r"(?=.)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
TICK_SECONDS = 0.2
SHOWN_SECONDS = 2.0
LAST_TASK_SECONDS = 10  # a user may bring its task to an end
STOP_SECONDS = 60
CONNECT_SECONDS = 60
SETTLE_SECONDS = 10
MOST_LOOKING = 50
MOST_SHOWN = 3  # of each invariant
JUDGED = (("accepted", 10), ("refused", 9), ("unknown", 9))
STOPS = {signal.SIGINT, signal.SIGTERM}
LOCAL = "127.0.0.1"
LOCUST_PORT = 5557
AUDIT = """select coalesce(json_agg(a order by a.id), '[]')::text
           from public.pilates_audit_log a where a.user_id = any(%s::uuid[])"""


@dataclass(frozen=True)
class Wish:
    """What a person asked for. ``seconds`` None runs until Ctrl-C; ``web_port`` 0 is headless."""

    env: str
    users: int = 50
    spawn_rate: float = 25
    seconds: int | None = 30
    members: int = 40
    classes: int = 35
    traffic: Traffic = Traffic.DAY
    think: float = 0.5
    workers: int = 0
    expect_workers: int = 0
    master_host: str = LOCAL
    master_port: int = LOCUST_PORT
    web_port: int = 0
    seed: int = 0
    overlays: Sequence[Path] = ()


@dataclass
class Ran:
    """What came of Locust's processes."""

    seconds: float = 0.0
    interrupted: bool = False
    trouble: list[str] = field(default_factory=list)
    stats: list[dict[str, str]] = field(default_factory=list)

    @property
    def total(self) -> dict[str, str]:
        """Locust's own sum over all requests."""
        return next((row for row in self.stats if row["Name"] == "Aggregated"), {})


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
    chosen = preflight.writable(wish.env)
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
        catalogue = rows.read_catalogue(connection)
        operations = sorted(read_operations(connection, chosen.functions))
        place = folder.create(latest=False) / "load"
        (place / "answers").mkdir(parents=True)
        plan = Plan(run_digits(place.parent.name), chosen.name, wish.seed, wish.traffic, wish.think, 1, operations)
        plan.workers = max(1, wish.workers + wish.expect_workers)
        stack.callback(_remove_rows, target, plan.run, console)
        made = scene.make(connection, catalogue, plan, chosen, wish.members, wish.classes)
        plan.write(place / "plan.json")
        console.print(f"{wish.users} users are {wish.members} members and the front desk: {place}", highlight=False)
        ran = _drive(wish, target, place, host, port, console)
        return _conclude(wish, target, connection, catalogue, made, ran, place, console)


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


def _drive(wish: Wish, target: Target, place: Path, host: str, port: int, console: Console) -> Ran:
    """Run Locust to its end, or to an end in good order after a Ctrl-C; nothing of it is left alive."""
    ran, began = Ran(), time.monotonic()
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        with _signals_wait():
            distributed = _master_arguments(wish, host, port)
            processes["locust"] = _start(_arguments(wish, place) + distributed, target, place, "locust", place)
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
def _signals_wait():
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
        return listener.getsockname()[1]


def _check_port(host: str, port: int, option: str) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise SuiteError(f"{option} {port}: cannot be used ({error.strerror}); choose another.") from None


# --- what it left ----------------------------------------------------------------------------------------------------


def _conclude(
    wish: Wish,
    target: Target,
    connection: Connection,
    catalogue: rows.Catalogue,
    made: Scene,
    ran: Ran,
    place: Path,
    console: Console,
) -> int:
    """Judge, keep and say what came of it."""
    answers, complete = _answers(place / "answers", wish.expect_workers)
    if ran.trouble:
        complete = False
    with console.status("Checking every class ..."):
        settled = all(answer["outcome"] != Outcome.UNKNOWN for answer in answers)
        after = _after(connection, catalogue, made, settled)
        load = checking.Load(after, answers, made.credited, made.peak, made.names, complete)
        breaches, balance = checking.judge(load)
        breaches += _seen_by_members(target, made, after)
        second = _second_opinion(target, made, after)
    breaches += [breach for breach in second if breach.invariant not in {known.invariant for known in breaches}]
    breaches.sort(key=lambda breach: breach.severity)
    failed = int(ran.total.get("Failure Count", 0))
    code = FINDINGS if breaches or failed else COULD_NOT_RUN if ran.trouble or not ran.total else CLEAN
    record = {
        "run": place.parent.name,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "arguments": {**asdict(wish), "overlays": [str(path) for path in wish.overlays]},
        "seconds": round(ran.seconds, 1),
        "interrupted": ran.interrupted,
        "requests": int(ran.total.get("Request Count", 0)),
        "requests_per_second": round(float(ran.total.get("Requests/s", 0)), 1),
        "failed": failed,
        "actions": _actions(ran, answers),
        "outcomes": Counter(answer["outcome"] for answer in answers),
        "refusals": Counter(a["reason"] for a in answers if a["outcome"] == Outcome.REFUSED),
        "rows": {"bookings": len(after.bookings), "deposits": len(after.deposits), "audit": len(after.audit or ())},
        "not_proven": _not_proven(after, made, complete),
        "trouble": ran.trouble,
        "balance": {"lost": balance.lost, "given_away": balance.given_away, "overbooked": len(balance.overbooked)},
        "findings": [{"invariant": b.invariant, "severity": b.severity, "finding": b.sentence} for b in breaches],
        "exit_code": code,
    }
    (place / "load.json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    if breaches:
        (place / "rows.json").write_bytes(orjson.dumps(asdict(after), option=orjson.OPT_INDENT_2))
    for line in _told(record, breaches, balance):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"Load: {place / 'locust.html'}, {place / 'load.json'}", markup=False, highlight=False, soft_wrap=True
    )
    return code


def _answers(place: Path, expected: int) -> tuple[list[dict[str, Any]], bool]:
    """Read all workers' answers, and say whether they are complete: the last line of each remote worker's is there."""
    answers, last = [], 0
    for path in sorted(place.glob("*.jsonl")):
        lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        answers += [line for line in lines if "last" not in line]
        last += any("last" in line for line in lines)
    return answers, last >= expected


def _after(connection: Connection, catalogue: rows.Catalogue, made: Scene, settled: bool) -> snapshot.Snapshot:
    """Read all rows of the load at one instant; where a request may still be under way, once they stay the same."""
    after = _read(connection, catalogue, made)
    until = time.monotonic() + SETTLE_SECONDS
    while not settled and time.monotonic() < until:
        time.sleep(TICK_SECONDS)
        before, after = after, _read(connection, catalogue, made)
        settled = before.rows() == after.rows()
    return after


def _read(connection: Connection, catalogue: rows.Catalogue, made: Scene) -> snapshot.Snapshot:
    with connection.cursor() as cursor:
        cursor.execute("begin isolation level repeatable read read only")
        try:
            after = snapshot.take(connection, catalogue, made.users, made.peak, "")
            if "pilates_audit_log" in catalogue:
                cursor.execute(AUDIT, (made.users,))
                after = replace(after, audit=orjson.loads(cursor.fetchone()[0]))
        finally:
            cursor.execute("commit")
    return after


def _seen_by_members(target: Target, made: Scene, after: snapshot.Snapshot) -> list[Breach]:
    """Let some members look, with their own tokens, and compare what they are shown with the rows."""
    chance = random.Random(made.plan.seed)  # noqa: S311 - reproducible on purpose
    chosen = chance.sample(made.plan.members, min(MOST_LOOKING, len(made.plan.members)))
    breaches: list[Breach] = []
    with requests.Session() as session:
        session.trust_env = target.lease is None
        for user_id in chosen:
            device, zone = devices()["api"], target.environment.zone
            caller = Caller(made.names[user_id], "user", user_id, device, zone, token(target, user_id))
            views = []
            for table in ("pilates_bookings", "pilates_deposits"):
                request = Request("GET", f"/{table}", caller, params={"user_id": f"eq.{user_id}"})
                network = Network("", "load", 0)  # nothing disturbs a load but its own numbers
                reply = call(session, target, request, trace_id="load", test_id="LOAD", network=network)
                shown = reply.body if reply.outcome is Outcome.ACCEPTED else None
                views.append(View(caller.name, table, True, shown))
            facts = Facts(after, after, [], {}, {user_id: "the member"}, {}, views=views)
            breaches += check(facts, "I8")
    return breaches


def _second_opinion(target: Target, made: Scene, after: snapshot.Snapshot) -> list[Breach]:
    """Let ``verify-db`` look at the whole database, and keep what it finds about rows of ours."""
    ours = {*made.users, *made.peak, *(row["id"] for row in (*after.bookings, *after.deposits))}
    found = []
    with preflight.connected(target) as connection:
        for outcome in verify.run_checks(connection, verify.load_checks()):
            for row in outcome.findings:
                if ours & {part for value in row.values() for part in str(value).split("/")}:
                    found.append(
                        Breach(
                            outcome.check.id.partition("-")[0],
                            f"verify-db {outcome.check.id}: {row['key']}: {row['finding']}.",
                        )
                    )
    return found


def _not_proven(after: snapshot.Snapshot, made: Scene, complete: bool) -> list[str]:
    """Say what could not be checked, and why."""
    lacks = [f"the target lacks {name}" for name in scene.operations_missing(made.plan)]
    if after.audit is None:
        lacks.append("the target keeps no audit log: I9, and places given twice that were given back since")
    if after.outbox is None:
        lacks.append("the target has no calendar outbox: I10")
    if not complete:
        lacks.append("answers of a worker are missing: bookings that nobody was told of (I12)")
    return lacks


def _actions(ran: Ran, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join Locust's times with what was answered."""
    told: dict[str, Counter[str]] = {}
    for answer in answers:
        name = f"{answer['operation']} again" if answer.get("first") else answer["operation"]
        told.setdefault(f"{answer['role']}/{name}", Counter())[answer["outcome"]] += 1
    actions = []
    for row in ran.stats:
        if row["Name"] == "Aggregated":
            continue
        counts = told.get(f"{row['Type']}/{row['Name']}", Counter())
        actions.append(
            {
                "who": row["Type"],
                "action": row["Name"],
                "requests": int(row["Request Count"]),
                "failed": int(row["Failure Count"]),
                "changes": bool(counts),
                "accepted": counts[Outcome.ACCEPTED],
                "refused": counts[Outcome.REFUSED],
                "unknown": counts[Outcome.UNKNOWN],
                **{f"p{p}_ms": float(row[f"{p}%"]) if row[f"{p}%"] != "N/A" else None for p in (50, 95, 99)},
            }
        )
    return actions


def _told(record: dict[str, Any], breaches: list[Breach], balance: checking.Balance) -> list[str]:
    """Say what came of it, the verdict last."""
    lines = [f"{'':<32}requests  p50 ms  p95 ms  p99 ms  accepted  refused  unknown  failed"]
    for a in record["actions"]:
        times = "".join("       -" if a[key] is None else f"{a[key]:>8.0f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
        judged = "".join(f"{a[key] if a['changes'] else '':>{n}}" for key, n in JUDGED)
        lines.append(f"{a['who'] + ': ' + a['action']:<32}{a['requests']:>8}{times}{judged}{a['failed']:>8}")
    outcomes = record["outcomes"]
    lines += [
        f"{record['requests']} requests, {record['requests_per_second']}/s; of the changes {outcomes['accepted']}"
        f" accepted, {outcomes['refused']} refused, {outcomes['unknown']} unknown; {record['failed']} requests failed."
    ]
    lines += [f"Not proven: {words}." for words in record["not_proven"]]
    lines += [f"Trouble: {words}." for words in record["trouble"]]
    shown: Counter[str] = Counter()
    for breach in breaches:
        shown[breach.invariant] += 1
        if shown[breach.invariant] <= MOST_SHOWN:
            lines.append(str(breach))
    lines += [f"  and {n - MOST_SHOWN} more of {name}, see load.json" for name, n in shown.items() if n > MOST_SHOWN]
    if record["interrupted"]:
        lines.append(f"Interrupted after {record['seconds']:.0f} s; what was done until then is checked.")
    rows_made = record["rows"]
    checked = f"{rows_made['bookings']} bookings and {rows_made['deposits']} deposits checked"
    if breaches:
        p0 = sum(breach.severity == "P0" for breach in breaches)
        lines.append(f"NOT CLEAN: {balance}; {p0} P0 findings, {len(breaches) - p0} others; {checked}.")
    elif record["failed"]:
        lines.append(f"NOT CLEAN: {record['failed']} requests failed (locust_failures.csv); {balance}; {checked}.")
    elif record["exit_code"] == COULD_NOT_RUN:
        lines.append("COULD NOT RUN to its end; what was done shows no class lost or given away.")
    else:
        lines.append(f"CLEAN: {balance}; {checked}.")
    return lines


def _remove_rows(target: Target, run: str, console: Console) -> None:
    """Remove all rows of the load."""
    try:
        with preflight.connected(target) as connection:
            rows.remove_rows(connection, run)
    except SuiteError as error:
        console.print(f"The load's rows could not be removed; `clean` does it later. {error}", markup=False)
