"""Plans: whom a fault meets and how often, what is refused, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from acceptance.faults import Fault
from tools.network import proxy
from tools.selftest.network.running import PATIENCE, Case, start, stop


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
    case.session.delete(f"{case.net.control}/{case.trace}", timeout=PATIENCE)
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
        network.take(name, [])
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
