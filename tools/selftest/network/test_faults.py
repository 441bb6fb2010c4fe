"""Fault by fault: what the caller sees, what the server sees and what the ledger says."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from random import Random

import pytest
import requests

from acceptance.faults import Fault
from tools.network import proxy
from tools.selftest.network.running import BODY, PATIENCE, Case


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
