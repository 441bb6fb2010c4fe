"""The network as a process: what the caller sees, what the server sees and what the ledger says, fault by fault."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import psutil
import psycopg2
import pytest
import requests
from mitmproxy import http

from acceptance import client, embedded, environment, faults, running_case
from acceptance.bench import Bench
from acceptance.client import Caller, Outcome, Reply, Request
from acceptance.datafiles import ROOT, devices
from acceptance.environment import Target
from acceptance.errors import NotProven, SuiteError
from acceptance.faults import Disturbance, Fault
from acceptance.model import Operation
from acceptance.network import Condition, Network
from tools.network import proxy
from tools.studio.processes import wait_until

PATIENCE = 30
BODY = b'{"booking_id": "b-1", "deposit_remaining": 9}'


class Server(ThreadingHTTPServer):
    """A small API that keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []  # trace and idempotency key
        self.connections = 0
        self.hangs_up = False
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def count(self, trace: str) -> int:
        return sum(1 for one, _ in self.asked if one == trace)


class Handler(BaseHTTPRequestHandler):
    """Answers every POST alike, and keeps the connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.headers.get("X-Trace-Id", ""), self.headers.get("Idempotency-Key", "")))
        if self.server.hangs_up:
            self.close_connection = True
            return
        body = BODY if content != b'"empty"' else b""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@dataclass
class Running:
    """A proxy process and the two servers behind it."""

    process: subprocess.Popen[str]
    url: str
    calendar_url: str
    api: Server
    calendar: Server
    home: Path


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/acceptance/network", timeout=1).ok
    except requests.RequestException:
        return False


def start(home: Path) -> Running:
    api, calendar = Server(), Server()
    ports = free_ports(2)
    command = [sys.executable, "-m", "tools.network.proxy", "--api-port", str(ports[0]), "--api-upstream", api.url]
    command += ["--calendar-port", str(ports[1]), "--calendar-upstream", calendar.url]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url, calendar_url = (f"http://127.0.0.1:{port}" for port in ports)
    assert wait_until(lambda: process.poll() is not None or answers(url), PATIENCE)
    return Running(process, url, calendar_url, api, calendar, home)


def stop(running: Running) -> str:
    running.process.terminate()
    said, _ = running.process.communicate(timeout=PATIENCE)
    for server in (running.api, running.calendar):
        server.shutdown()
        server.server_close()
    return said


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = start(tmp_path_factory.mktemp("home"))
    yield running
    stop(running)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@dataclass
class Case:
    """One trace: plans, asks and reads the ledger."""

    net: Running
    session: requests.Session
    trace: str = field(default_factory=lambda: str(uuid.uuid4()))

    def plan(self, *planned: dict[str, Any]) -> requests.Response:
        where = f"{self.net.url}/acceptance/network/{self.trace}"
        return self.session.put(where, json=list(planned), timeout=PATIENCE)

    def ask(self, url: str = "", timeout: float = PATIENCE, data: str = "{}", **headers: str) -> requests.Response:
        sent = {"X-Trace-Id": self.trace, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.session.post(f"{url or self.net.url}/rpc/book", data=data, headers=sent, timeout=timeout)

    def ledger(self) -> dict[str, Any]:
        answer = self.session.get(f"{self.net.url}/acceptance/network/{self.trace}", timeout=PATIENCE)
        found: dict[str, Any] = answer.json()
        return found

    def fired(self) -> list[int]:
        return [one["fired"] for one in self.ledger()["planned"]]


@pytest.fixture
def case(net: Running, session: requests.Session) -> Case:
    return Case(net, session)


def broken(error: requests.RequestException) -> str:
    """Say in a word what a caller saw instead of an answer."""
    return "time-out" if isinstance(error, requests.Timeout) else type(error).__name__


# What the caller sees of one try, and how often the server sees the request.
SEEN: dict[Fault, tuple[str, int]] = {
    Fault.REQUEST_LOST: ("ConnectionError", 0),
    Fault.ANSWER_LOST: ("ConnectionError", 1),
    Fault.TRUNCATED: ("ChunkedEncodingError", 1),
    Fault.TWICE: ("200", 2),
    Fault.SLOW: ("200", 1),
    Fault.PACKETS_LOST: ("200", 1),
    Fault.STALLED: ("time-out", 1),
    **{fault: (fault[:3], int("after" in fault)) for fault in Fault if fault[:3].isdigit()},
}


@pytest.mark.parametrize("fault", Fault)
def test_each_fault_is_what_it_says(case: Case, fault: Fault) -> None:
    case.plan({"fault": fault, "milliseconds": 100, "seed": 1})
    assert case.fired() == [0]
    try:
        saw = str(case.ask(timeout=0.5).status_code)
    except requests.RequestException as error:
        saw = broken(error)
    assert (saw, case.net.api.count(case.trace)) == SEEN[fault]
    ledger = case.ledger()
    assert [one["fired"] for one in ledger["planned"]] == [1]
    assert [event["what"] for event in ledger["events"]] == [fault]
    assert len(ledger["planned"][0]["at"]) == 1
    answer = case.ask()
    assert (answer.status_code, answer.content) == (200, BODY), "only one request was to be disturbed"
    assert case.fired() == [1]


def test_a_truncated_answer_has_status_true_length_and_half_of_the_body(case: Case) -> None:
    case.plan({"fault": Fault.TRUNCATED})
    request = f"POST /rpc/book HTTP/1.1\r\nHost: x\r\nX-Trace-Id: {case.trace}\r\nContent-Length: 2\r\n\r\n{{}}"
    with socket.create_connection(("127.0.0.1", int(case.net.url.rsplit(":", 1)[1])), PATIENCE) as raw:
        raw.sendall(request.encode())
        with raw.makefile("rb") as stream:
            head, _, body = stream.read().partition(b"\r\n\r\n")  # up to the end: it closes
    assert head.startswith(b"HTTP/1.1 200")
    assert f"content-length: {len(BODY)}".encode() in head.lower()
    assert body == BODY[: len(BODY) // 2]


def test_an_empty_answer_can_be_truncated_too(case: Case) -> None:
    case.plan({"fault": Fault.TRUNCATED})
    with pytest.raises(requests.RequestException):
        case.ask(data='"empty"')
    assert case.fired() == [1]


def took(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def test_slow_takes_the_time_it_says(case: Case) -> None:
    case.plan({"fault": Fault.SLOW, "milliseconds": 200, "jitter": 100, "seed": 7, "times": 0})
    times = [took(case.ask) for _ in range(3)]
    assert min(times) >= 0.1
    assert case.fired() == [3]
    slower = Case(case.net, case.session)
    slower.plan({"fault": Fault.SLOW, "milliseconds": 600})
    assert took(slower.ask) >= 0.6


@pytest.mark.parametrize("of_answer", [False, True], ids=["request", "answer"])
@pytest.mark.parametrize("losses", [1, 2, 3])
def test_lost_packets_take_retransmissions_or_the_connection(case: Case, losses: int, of_answer: bool) -> None:
    seed = next(n for n in range(1000) if proxy.draw_losses(Random(f"{n}/None/None")) == (losses, of_answer))  # noqa: S311
    case.plan({"fault": Fault.PACKETS_LOST, "seed": seed})
    started = time.perf_counter()
    try:
        assert case.ask().status_code == 200
        died = False
    except requests.ConnectionError:
        died = True
    assert time.perf_counter() - started >= {1: 0.2, 2: 0.6, 3: 0.6}[losses]
    assert died == (losses == 3)
    assert case.net.api.count(case.trace) == (0 if died and not of_answer else 1)
    word = (Fault.ANSWER_LOST if of_answer else Fault.REQUEST_LOST) if died else Fault.PACKETS_LOST
    assert [event["what"] for event in case.ledger()["events"]] == [word]


def test_actor_key_and_trace_choose_whom_a_fault_meets(case: Case) -> None:
    other = Case(case.net, case.session)
    case.plan(
        {"fault": Fault.BEFORE_500, "actor": "anna"},
        {"fault": Fault.BEFORE_502, "key": "k-1"},
        {"fault": Fault.BEFORE_504, "leg": "calendar"},
    )
    assert other.ask(X_Actor="anna", Idempotency_Key="k-1").status_code == 200
    assert case.ask(X_Actor="ben", Idempotency_Key="k-2").status_code == 200
    assert case.fired() == [0, 0, 0]
    assert case.ask(X_Actor="anna", Idempotency_Key="k-2").status_code == 500
    assert case.ask(X_Actor="anna", Idempotency_Key="k-1").status_code == 502
    assert case.fired() == [1, 1, 0]
    assert case.ask(case.net.calendar_url).status_code == 504
    assert case.fired() == [1, 1, 1]
    assert case.net.calendar.count(case.trace) == 0
    assert other.ledger() == {"planned": [], "events": []}


def test_the_calendar_is_down_for_a_while(case: Case) -> None:
    case.plan({"leg": "calendar", "fault": Fault.BEFORE_503, "times": 3})
    assert [case.ask(case.net.calendar_url).status_code for _ in range(5)] == [503, 503, 503, 200, 200]
    assert case.net.calendar.count(case.trace) == 2
    assert case.fired() == [3]


def test_a_plan_grows_and_keeps_what_has_fired(case: Case) -> None:
    first, second = {"fault": Fault.BEFORE_500}, {"fault": Fault.BEFORE_502}
    case.plan(first)
    assert case.ask().status_code == 500
    case.plan(first, second)
    assert case.fired() == [1, 0]
    assert [case.ask().status_code for _ in range(2)] == [502, 200]
    case.session.delete(f"{case.net.url}/acceptance/network/{case.trace}", timeout=PATIENCE)
    assert case.fired() == []


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"fault": "snow"}, "fault: 'snow' is none of request lost"),
        ({"fault": "slow", "leg": "sea"}, "leg: 'sea' is none of api"),
        ({"fault": "slow", "milliseconds": -1}, "milliseconds: -1 is not"),
        ({"fault": "slow", "when": "now"}, "a planned fault is an object of"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused_in_words(case: Case, plan: dict[str, Any], words: str) -> None:
    answer = case.plan(plan)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_the_oldest_trace_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "MOST_TRACES", 3)
    network = proxy.Network({1: "api"})
    for name in "abcad":  # a is touched again, so b is the oldest
        network.control(http.Request.make("PUT", f"http://x/acceptance/network/{name}", "[]"))
    assert list(network.traces) == ["c", "a", "d"]


@pytest.mark.parametrize("how", ["refuses", "hangs up"])
def test_a_server_that_does_not_answer_fires_nothing(how: str, session: requests.Session, tmp_path: Path) -> None:
    running = start(tmp_path)
    try:
        if how == "refuses":
            running.api.shutdown()
            running.api.server_close()
        running.api.hangs_up = True
        lost = Case(running, session)
        for fault in (Fault.ANSWER_LOST, Fault.TRUNCATED, Fault.TWICE, Fault.AFTER_500):
            lost.plan({"fault": fault})
            assert lost.ask().status_code == 502  # mitmproxy's own
            assert lost.fired() == [0], fault
    finally:
        stop(running)


def test_connections_are_kept_alive_on_both_sides(case: Case) -> None:
    before = case.net.api.connections
    for _ in range(10):
        case.ask()
    assert case.net.api.connections - before <= 1


# --- the client -------------------------------------------------------------------------------------------


def target(net: Running) -> Target:
    return Target(environment.load("embedded"), net.api.url, "", "s" * 40, network_url=net.url)


def asked(net: Running, session: requests.Session, network: Network, device: str, key: str) -> Reply:
    caller = Caller("anna", "user", "u-1", devices()[device], "UTC")
    request = Request("POST", "/rpc/book", caller, body={}, key=key)
    return client.call(session, target(net), request, trace_id=network.trace_id, test_id="T-1", network=network)


TOLD = {
    "the request is lost on the way": ["request lost", "200"],
    "the answer is lost on the way back": ["answer lost", "200"],
    "the answer arrives truncated": ["truncated answer", "200"],
    "the request is delivered twice": ["delivered twice", "200"],
    "the connection stalls": ["stalled", "200"],
    "the answers take 120 ms": ["200"],
    "the service answers 503 once": ["503 before the server", "200"],
    "the service acts and answers 503": ["503 after the server acted", "200"],
}


@pytest.mark.parametrize("sentence", TOLD)
def test_the_device_tries_again_with_the_same_key(net: Running, session: requests.Session, sentence: str) -> None:
    network = Network(net.url, str(uuid.uuid4()), 1)
    disturbance = faults.disturbance(sentence)
    assert disturbance is not None
    network.plan(disturbance)
    network.before_calls(session, [("k-1", devices()["web-chrome"])])
    assert network.not_exercised(session) == [disturbance.fault]
    reply = asked(net, session, network, "web-chrome", "k-1")
    assert (reply.outcome, reply.attempts) == (Outcome.ACCEPTED, TOLD[sentence])
    assert network.not_exercised(session) == []
    reached = [attempt for attempt in reply.attempts if attempt not in faults.NEVER_REACHED_THE_SERVER]
    traced = [key for trace, key in net.api.asked if trace == network.trace_id]
    assert traced == ["k-1"] * len(reached)
    assert reply.latency_ms < 1000


def test_a_repeated_request_stays_as_slow_as_it_was(net: Running, session: requests.Session) -> None:
    network = Network(net.url, str(uuid.uuid4()), 1, Condition.HIGH_LATENCY)
    for _ in range(2):
        network.before_calls(session, [("k-1", devices()["api"])])
        asked(net, session, network, "api", "k-1")
    assert network.not_exercised(session) == []
    assert len(network.planned) == 1
    assert len(network.events) == 2


def test_each_try_says_what_it_met_itself(net: Running, session: requests.Session) -> None:
    network = Network(net.url, str(uuid.uuid4()), 1)
    network.plan(Disturbance(Fault.ANSWER_LOST))
    network.before_calls(session, [("k-1", devices()["android"])])
    Case(net, session, network.trace_id).plan({**network.planned[0], "times": 2})
    assert asked(net, session, network, "android", "k-1").attempts == ["answer lost", "answer lost", "200"]
    network.before_calls(session, [("k-1", devices()["android"])])
    assert asked(net, session, network, "android", "k-1").attempts == ["200"], "the repeat met nothing"


def test_an_error_the_device_does_not_try_again_stays_unknown(net: Running, session: requests.Session) -> None:
    for fault in (Fault.BEFORE_500, Fault.AFTER_500):
        network = Network(net.url, str(uuid.uuid4()), 1)
        network.plan(Disturbance(fault))
        network.before_calls(session, [("k-1", devices()["android"])])
        reply = asked(net, session, network, "android", "k-1")
        assert (reply.outcome, reply.status, reply.attempts) == (Outcome.UNKNOWN, 500, [fault])


def test_a_fault_that_never_fired_is_reported(net: Running, session: requests.Session) -> None:
    network = Network(net.url, str(uuid.uuid4()), 1)
    network.plan(Disturbance(Fault.ANSWER_LOST))
    assert network.not_exercised(session) == ["answer lost"], "no call came"
    network.before_calls(session, [("k-1", devices()["api"])])
    network.plan_for_calendar(session, Disturbance(Fault.BEFORE_503), times=2)
    assert network.not_exercised(session) == ["answer lost", "503 before the server (calendar)"], "calls went elsewhere"
    asked(net, session, network, "api", "k-1")
    one = Case(net, session, network.trace_id)
    one.ask(net.calendar_url)
    assert network.not_exercised(session) == ["503 before the server (calendar)"], "once is not twice"
    one.ask(net.calendar_url)
    assert network.not_exercised(session) == []


def test_calls_without_a_plan_go_straight_to_the_api(net: Running, session: requests.Session) -> None:
    network = Network("http://127.0.0.1:1", str(uuid.uuid4()), 1)  # nobody is there
    network.before_calls(session, [("k-1", devices()["api"])])
    assert asked(net, session, network, "api", "k-1").outcome is Outcome.ACCEPTED
    assert network.not_exercised(session) == []


def test_a_proxy_that_is_gone_is_said_in_words(session: requests.Session) -> None:
    network = Network("http://127.0.0.1:1", str(uuid.uuid4()), 1)
    network.plan(Disturbance(Fault.ANSWER_LOST))
    with pytest.raises(SuiteError, match="the network proxy does not answer"):
        network.before_calls(session, [("k-1", devices()["api"])])


@pytest.mark.parametrize("condition", Condition)
def test_a_condition_disturbs_alike_in_every_run_and_the_retries_get_through(
    net: Running, session: requests.Session, condition: Condition
) -> None:
    met = []
    for run in ("a", "b"):
        network = Network(net.url, str(uuid.uuid4()), 42, condition)
        network.before_calls(session, [(f"{run}-{n}", devices()["web-chrome"]) for n in range(12)])
        order = range(12) if run == "a" else reversed(range(12))
        replies = {n: asked(net, session, network, "web-chrome", f"{run}-{n}") for n in order}
        assert {reply.outcome for reply in replies.values()} == {Outcome.ACCEPTED}
        assert network.not_exercised(session) == []
        met.append([replies[n].attempts for n in range(12)])
    assert met[0] == met[1]
    disturbed = condition in (Condition.PACKET_LOSS, Condition.FAILURE_INJECTION)
    assert any(attempts != ["200"] for attempts in met[0]) == disturbed
    if disturbed:
        assert len({tuple(attempts) for attempts in met[0]}) > 1


def test_twenty_clients_at_once_each_meet_their_own(net: Running) -> None:
    kinds = [Fault.ANSWER_LOST, Fault.REQUEST_LOST, Fault.TWICE, Fault.TRUNCATED, None]

    def work(number: int) -> tuple[Fault | None, list[str], list[str], int]:
        fault, rounds, said = kinds[number % len(kinds)], 5, []
        network = Network(net.url, str(uuid.uuid4()), number)
        with requests.Session() as session:
            session.trust_env = False
            for n in range(rounds):
                if fault is not None:
                    network.plan(Disturbance(fault))
                network.before_calls(session, [(f"k-{n}", devices()["ios"])])
                said += asked(net, session, network, "ios", f"k-{n}").attempts
            return fault, said, network.not_exercised(session), net.api.count(network.trace_id)

    with ThreadPoolExecutor(20) as pool:
        for fault, said, missing, server_saw in pool.map(work, range(20)):
            assert missing == []
            assert said == ([str(fault), "200"] if fault else ["200"]) * 5
            assert server_saw == (5 if fault in (None, Fault.REQUEST_LOST) else 10)


# --- the process ------------------------------------------------------------------------------------------


def test_nothing_is_left_after_sigterm(tmp_path: Path, session: requests.Session) -> None:
    running = start(tmp_path)
    case = Case(running, session)
    case.plan({"fault": Fault.STALLED})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(case.ask)
        assert wait_until(lambda: running.api.count(case.trace) == 1, PATIENCE)
        children = psutil.Process(running.process.pid).children(recursive=True)
        started = time.monotonic()
        said = stop(running)
        assert time.monotonic() - started < 5
        with pytest.raises(requests.ConnectionError):
            waiting.result()
    assert running.process.returncode == 0
    assert said == "", "a quiet log"
    assert not any(child.is_running() for child in children)
    assert not answers(running.url)
    assert list(tmp_path.iterdir()) == [], "nothing is written into the home folder"


def test_it_says_when_a_port_is_taken(net: Running) -> None:
    port = net.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "tools.network.proxy", "--api-port", port, "--api-upstream", net.api.url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "cannot listen" in done.stderr


def test_the_studio_has_one_and_starts_it_again(studio: embedded.Studio, session: requests.Session) -> None:
    """Killed like the gateway in a crash test, it comes back at the same place."""
    (one,) = (
        p for p in psutil.process_iter(["cmdline"]) if studio.network_url.rsplit(":", 1)[1] in (p.info["cmdline"] or [])
    )
    assert session.get(f"{studio.network_url}/ready", timeout=PATIENCE).ok, "it passes on to the gateway"
    one.send_signal(signal.SIGKILL)
    one.wait(PATIENCE)
    assert wait_until(lambda: answers(studio.network_url), PATIENCE)


# --- a case -----------------------------------------------------------------------------------------------


@pytest.fixture
def bench(studio: embedded.Studio, session: requests.Session, tmp_path: Path) -> Iterator[Bench]:
    found = Target(
        environment.load("embedded"),
        studio.api_url,
        studio.database_url,
        studio.jwt_secret,
        network_url=studio.network_url,
        lease=studio,
    )
    connection = psycopg2.connect(studio.database_url)
    connection.autocommit = True
    bench = Bench(found, connection, session, tmp_path)
    yield bench
    bench.close()
    connection.close()


@pytest.fixture
def begun(bench: Bench) -> running_case.RunningCase:
    one = running_case.RunningCase(bench, "T-900001 Network", 5, str(uuid.uuid4()))
    one.add_member("member", 3)
    one.add_slot("class", "tomorrow at 10:00", 4)
    return one


def test_a_member_who_taps_again_pays_once(begun: running_case.RunningCase) -> None:
    begun.disturb(Disturbance(Fault.AFTER_500))
    begun.ask(Operation.BOOK, begun.caller("member"))
    first = begun.done()
    assert first.reply.outcome is Outcome.UNKNOWN
    begun.tap_again()
    again = begun.done()
    assert (again.key != first.key, again.body) == (True, first.body)
    assert again.reply.outcome is Outcome.REFUSED, "the class is booked already"
    with pytest.raises(SuiteError, match="nobody taps again who knows the answer"):
        begun.tap_again()
    begun.ask(Operation.CANCEL, begun.caller("member"))
    assert begun.done().reply.outcome is Outcome.ACCEPTED, "the member found the booking by looking"
    begun.end()


def test_nothing_is_claimed_of_a_booking_nobody_was_told_of(begun: running_case.RunningCase) -> None:
    begun.disturb(Disturbance(Fault.AFTER_500))
    begun.ask(Operation.BOOK, begun.caller("member"))
    begun.disturb(Disturbance(Fault.BEFORE_500))
    begun.ask(Operation.CANCEL, begun.caller("member"))
    assert [step[0].reply.outcome for step in begun.steps] == [Outcome.UNKNOWN] * 2
    begun.expect(True, "")
    begun.end()


def test_a_case_whose_fault_did_not_fire_fails(begun: running_case.RunningCase) -> None:
    begun.disturb(Disturbance(Fault.ANSWER_LOST))
    with pytest.raises(running_case.BrokenPromise, match=r"not exercised: .* never took place: answer lost"):
        begun.end()


def test_a_target_without_a_proxy_proves_nothing_about_the_network(begun: running_case.RunningCase) -> None:
    begun.network.url = ""
    with pytest.raises(NotProven, match="not proven"):
        begun.disturb(Disturbance(Fault.ANSWER_LOST))
    with pytest.raises(NotProven, match="not proven"):
        begun.set_condition(Condition.PACKET_LOSS)
    begun.set_condition(Condition.NORMAL)
    begun.end()
