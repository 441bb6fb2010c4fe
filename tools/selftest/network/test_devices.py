"""Devices behind the network: they try again with the same key, and each try says what it met."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from acceptance import client, environment, faults
from acceptance.client import Caller, Outcome, Reply, Request
from acceptance.datafiles import devices
from acceptance.environment import Target
from acceptance.errors import SuiteError
from acceptance.faults import Disturbance, Fault
from acceptance.network import Condition, Network
from tools.selftest.network.running import Case, Running


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
    network.before_calls([("k-1", devices()["web-chrome"])])
    assert network.not_exercised() == [disturbance.fault]
    reply = asked(net, session, network, "web-chrome", "k-1")
    assert (reply.outcome, reply.attempts) == (Outcome.ACCEPTED, TOLD[sentence])
    assert network.not_exercised() == []
    reached = [attempt for attempt in reply.attempts if attempt not in faults.NEVER_REACHED_THE_SERVER]
    traced = [key for trace, key in net.api.asked if trace == network.trace_id]
    assert traced == ["k-1"] * len(reached)
    assert reply.latency_ms < 1000


def test_a_repeated_request_stays_as_slow_as_it_was(net: Running, session: requests.Session) -> None:
    network = Network(net.url, str(uuid.uuid4()), 1, Condition.HIGH_LATENCY)
    for _ in range(2):
        network.before_calls([("k-1", devices()["api"])])
        asked(net, session, network, "api", "k-1")
    assert network.not_exercised() == []
    assert len(network.planned) == 1
    assert len(network.events) == 2


def test_each_try_says_what_it_met_itself(net: Running, session: requests.Session) -> None:
    network = Network(net.url, str(uuid.uuid4()), 1)
    network.plan(Disturbance(Fault.ANSWER_LOST))
    network.before_calls([("k-1", devices()["android"])])
    Case(net, session, network.trace_id).plan({**network.planned[0], "times": 2})
    assert asked(net, session, network, "android", "k-1").attempts == ["answer lost", "answer lost", "200"]
    network.before_calls([("k-1", devices()["android"])])
    assert asked(net, session, network, "android", "k-1").attempts == ["200"], "the repeat met nothing"


def test_an_error_the_device_does_not_try_again_stays_unknown(net: Running, session: requests.Session) -> None:
    for fault in (Fault.BEFORE_500, Fault.AFTER_500):
        network = Network(net.url, str(uuid.uuid4()), 1)
        network.plan(Disturbance(fault))
        network.before_calls([("k-1", devices()["android"])])
        reply = asked(net, session, network, "android", "k-1")
        assert (reply.outcome, reply.status, reply.attempts) == (Outcome.UNKNOWN, 500, [fault])


def test_a_fault_that_never_fired_is_reported(net: Running, session: requests.Session) -> None:
    network = Network(net.url, str(uuid.uuid4()), 1)
    network.plan(Disturbance(Fault.ANSWER_LOST))
    assert network.not_exercised() == ["answer lost"], "no call came"
    network.before_calls([("k-1", devices()["api"])])
    network.plan_for_calendar(Disturbance(Fault.BEFORE_503), times=2)
    assert network.not_exercised() == ["answer lost", "503 before the server (calendar)"], "calls went elsewhere"
    asked(net, session, network, "api", "k-1")
    one = Case(net, session, network.trace_id)
    one.ask(net.calendar_url)
    assert network.not_exercised() == ["503 before the server (calendar)"], "once is not twice"
    one.ask(net.calendar_url)
    assert network.not_exercised() == []


def test_calls_without_a_plan_go_straight_to_the_api(net: Running, session: requests.Session) -> None:
    network = Network("http://127.0.0.1:1", str(uuid.uuid4()), 1)  # nobody is there
    network.before_calls([("k-1", devices()["api"])])
    assert asked(net, session, network, "api", "k-1").outcome is Outcome.ACCEPTED
    assert network.not_exercised() == []


def test_a_proxy_that_is_gone_is_said_in_words() -> None:
    network = Network("http://127.0.0.1:1", str(uuid.uuid4()), 1)
    network.plan(Disturbance(Fault.ANSWER_LOST))
    with pytest.raises(SuiteError, match="the network proxy does not answer"):
        network.before_calls([("k-1", devices()["api"])])


@pytest.mark.parametrize("condition", Condition)
def test_a_condition_disturbs_alike_in_every_run_and_the_retries_get_through(
    net: Running, session: requests.Session, condition: Condition
) -> None:
    met = []
    for run in ("a", "b"):
        network = Network(net.url, str(uuid.uuid4()), 42, condition)
        network.before_calls([(f"{run}-{n}", devices()["web-chrome"]) for n in range(12)])
        order = range(12) if run == "a" else reversed(range(12))
        replies = {n: asked(net, session, network, "web-chrome", f"{run}-{n}") for n in order}
        assert {reply.outcome for reply in replies.values()} == {Outcome.ACCEPTED}
        assert network.not_exercised() == []
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
                network.before_calls([(f"k-{n}", devices()["ios"])])
                said += asked(net, session, network, "ios", f"k-{n}").attempts
            return fault, said, network.not_exercised(), net.api.count(network.trace_id)

    with ThreadPoolExecutor(20) as pool:
        for fault, said, missing, server_saw in pool.map(work, range(20)):
            assert missing == []
            assert said == ([str(fault), "200"] if fault else ["200"]) * 5
            assert server_saw == (5 if fault in (None, Fault.REQUEST_LOST) else 10)
