"""Cases in the studio whose network is disturbed: what a member does then, and what is claimed of it."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from acceptance import embedded, environment, running_case
from acceptance.bench import Bench
from acceptance.client import Outcome
from acceptance.environment import Target
from acceptance.errors import NotProven, SuiteError
from acceptance.faults import Disturbance, Fault
from acceptance.model import Operation
from acceptance.network import Condition
from tools.selftest.benches import bench_on
from tools.selftest.network.running import PATIENCE, answers
from tools.studio.processes import wait_until


def test_the_studio_has_one_and_starts_it_again(studio: embedded.Studio, session: requests.Session) -> None:
    """Killed like the gateway in a crash test, it comes back at the same place."""
    (one,) = (
        p for p in psutil.process_iter(["cmdline"]) if studio.network_url.rsplit(":", 1)[1] in (p.info["cmdline"] or [])
    )
    assert session.get(f"{studio.network_url}/ready", timeout=PATIENCE).ok, "it passes on to the gateway"
    one.send_signal(signal.SIGKILL)
    one.wait(PATIENCE)
    assert wait_until(lambda: answers(studio.network_url), PATIENCE)


@pytest.fixture
def bench(studio: embedded.Studio, tmp_path: Path) -> Iterator[Bench]:
    found = Target(
        environment.load("embedded"),
        studio.api_url,
        studio.database_url,
        studio.jwt_secret,
        network_url=studio.network_url,
        lease=studio,
    )
    with bench_on(found, tmp_path) as bench:
        yield bench


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
