"""What Locust runs: members on their phones and the front desk, each with a token and an idempotency key per request.

Started by ``pilates.py load`` in processes of its own, since Locust's gevent changes Python's sockets for good. How to
reach the studio comes by the environment (``PILATES_LOAD``), never on a command line. Each answer to a change becomes
one JSON line: in a file on the coordinator's machine, in the reports to the master on any other.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import locust.stats
import orjson
import requests
from gevent.event import Event
from locust import User, events, task
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from acceptance import environment
from acceptance.client import TOKEN_SECONDS, TOO_MANY, Caller, Outcome, Reply, Request, call, token
from acceptance.datafiles import devices
from acceptance.environment import Target
from acceptance.model import Operation, Refusal, Status
from acceptance.network import Network
from acceptance.rows import OCCUPANCY
from tools.load import speech
from tools.load.answers import Answers, Keeper
from tools.load.scene import Plan, Traffic

PHONES = ("android", "ios", "web-chrome", "web-firefox", "web-safari")
DESK_DEVICE = "web-chrome"
WAVE_SECONDS = {Traffic.DAY: 4.0, Traffic.RUSH: 1.0}
LEAD_SECONDS = 0.5  # who would act this shortly before a popular class opens waits for it
REPEATED = 0.1
MOST_CREDITED = 5
PLAN_SECONDS = 30
TEST_ID = "LOAD"
# A busy studio refuses like this; any other refusal is a defect, of the studio or of this file.
EXPECTED = {Refusal.ALREADY_BOOKED, Refusal.FULL, Refusal.NO_CLASSES, Refusal.NOT_CONFIRMED}

OUR_ARGUMENTS: dict[Operation, dict[str, str]] = {
    Operation.BOOK: {"member": "p_user_id", "class": "p_slot_id"},
    Operation.CANCEL: {"booking": "p_booking_id", "member": "p_user_id"},
    Operation.RESCHEDULE: {"booking": "p_booking_id", "member": "p_user_id", "class": "p_new_slot_id"},
    Operation.ADMIN_REMOVE: {"booking": "p_booking_id", "reason": "p_reason"},
    Operation.CONFIRM: {"booking": "p_booking_id", "member": "p_user_id"},
    Operation.CREDIT: {"member": "p_user_id", "classes": "p_classes"},
}

# The coordinator shows the progress from it. Locust hands it to a sleep, which takes parts of a second as well.
locust.stats.CSV_STATS_INTERVAL_SEC = 0.5  # type: ignore[assignment]
locust.stats.CSV_STATS_FLUSH_INTERVAL_SEC = 0
locust.stats.PERCENTILES_TO_REPORT = [0.5, 0.95, 0.99, 1.0]


class RequestFailedError(Exception):
    """A request that got no answer, or one that a sound studio does not give; Locust counts it as a failure."""


class Process:
    """What the users of one process share."""

    def __init__(self) -> None:
        told = orjson.loads(os.environ["PILATES_LOAD"])
        chosen = environment.load(told["environment"])
        self.target = Target(chosen, told["api_url"], "", told["jwt_secret"], told["api_key"])
        self.target.ca_file = told["ca_file"]
        self.use_proxies: bool = told["use_proxies"]
        self.folder = Path(told["folder"]) if told["folder"] else None
        self.answers = Answers(self.folder / "answers" / f"{told['name']}.jsonl" if self.folder else None)
        self.ready = Event()
        self.index = 0
        self.stopped = False
        self._users = 0

    def set_plan(self, document: dict[str, Any]) -> None:
        """Take the plan in; the users wait for it."""
        self.plan = Plan(**{**document, "traffic": Traffic(document["traffic"])})
        self.contract = speech.unpacked(self.plan.contract)
        if self.plan.environment != self.target.environment.name:
            raise SystemExit(f"the master tests {self.plan.environment}, this worker was started with another --env.")
        if self.contract.zone:
            self.target.environment = replace(self.target.environment, zone=self.contract.zone)
        self.ready.set()

    def next_number(self) -> int:
        """Number the users of all workers."""
        self._users += 1
        return (self._users - 1) * self.plan.workers + self.index


shared = Process()


@events.init.add_listener
def begin(environment: Environment, runner: LocalRunner | MasterRunner | WorkerRunner, **_: Any) -> None:
    """Get the plan to where the users are, and the answers to where the plan is."""
    if isinstance(runner, WorkerRunner):
        runner.register_message("plan", lambda msg, **_: _take_plan(runner, msg.data))
        runner.send_message("plan wanted")
        environment.events.report_to_master.add_listener(_report)
        return
    if shared.folder is None:
        raise SystemExit("PILATES_LOAD names no folder; only a worker on another machine has none.")
    shared.set_plan(orjson.loads((shared.folder / "plan.json").read_bytes()))
    if isinstance(runner, MasterRunner):
        runner.register_message(
            "plan wanted",
            lambda msg, **_: runner.send_message("plan", orjson.loads(orjson.dumps(shared.plan)), msg.node_id),
        )
        keeper = Keeper(runner, shared.folder / "answers")
        environment.events.worker_report.add_listener(keeper.keep)
        environment.events.test_stopping.add_listener(keeper.wait_for_last_reports)


@events.test_stop.add_listener
def note_the_end(**_: Any) -> None:
    """Note that no user of this process will act any more."""
    shared.stopped = True


@events.quit.add_listener
def write_the_rest(**_: Any) -> None:
    """Let Locust's CSV writer see the last requests; by itself it ends with what it wrote up to a second ago."""
    if shared.folder is not None:
        gevent.sleep(2 * locust.stats.CSV_STATS_INTERVAL_SEC)


def _take_plan(runner: WorkerRunner, document: dict[str, Any]) -> None:
    shared.index = runner.worker_index
    shared.set_plan(document)


def _report(data: dict[str, Any], **_: Any) -> None:
    data["answers"] = shared.answers.take()
    data["in_file"] = shared.folder is not None
    data["last"] = shared.stopped


class Client(User):
    """Somebody with a device. Two of them may be the same member: on the phone, and at the laptop."""

    abstract = True
    role = ""

    def on_start(self) -> None:
        """Sign in."""
        if not shared.ready.wait(PLAN_SECONDS):
            raise RequestFailedError("the master did not send the plan; has it the same version of this project?")
        self.plan, self.contract = shared.plan, shared.contract
        self.number = shared.next_number()
        self.random = random.Random(f"{self.plan.seed}/{self.number}")  # noqa: S311 - reproducible on purpose
        self.session = requests.Session()
        self.session.trust_env = shared.use_proxies
        self.count, self.signed, self.wave = 0, 0.0, -1
        self.schedule = OCCUPANCY if self.contract.occupancy == "view" else "pilates_schedule_slots"
        self.standing = f"eq.{self.contract.status(Status.CONFIRMED)}"
        self.caller = self.sign_in()

    def on_stop(self) -> None:
        """Close the connection."""
        self.session.close()

    def sign_in(self) -> Caller:
        """Say who this is, still without a token."""
        raise NotImplementedError

    def wait_time(self) -> float:
        """Think for a while: seconds, exponential, as arrivals are."""
        return min(self.random.expovariate(1 / self.plan.think), 4 * self.plan.think) if self.plan.think else 0.0

    def some_class(self) -> str:
        """Choose a class as people do: a popular one more often."""
        if self.random.random() < 0.3:
            return self.random.choice(self.plan.popular)
        return self.random.choice(self.plan.classes[self.random.choice(list(self.plan.classes))])

    def read(self, name: str, path: str, params: dict[str, str]) -> list[dict[str, Any]]:
        """Read rows; an empty list when it fails, which Locust is told."""
        reply = self._send(name, Request("GET", path, self._signed_in(), params=params))
        return reply.body if reply.outcome is Outcome.ACCEPTED and isinstance(reply.body, list) else []

    def ask(self, operation: Operation, *, member: str, **words: Any) -> Reply:
        """Ask for a change, in the contract's words; now and then the same request is sent once more.

        Args:
            operation: what is asked.
            member: whose booking or deposit it is about.
            words: of ``class``, ``booking`` and ``classes`` those that say what is meant.
        """
        said = {"member": member, "reason": "asked on the phone", **words}
        body = _ours(operation, said) if self.contract.reference else self.contract.body(operation, said)
        request = Request("POST", self.contract.path(operation), self._signed_in(), body)
        request = replace(request, key=str(uuid.UUID(int=self.random.getrandbits(128), version=4)))
        meant = {
            "role": self.role,
            "operation": operation,
            "member": member,
            "slot": words.get("class"),
            "booking": words.get("booking"),
            "classes": words.get("classes"),
        }
        reply = self._send(operation, request, meant)
        if reply.outcome is not Outcome.REFUSED and self.random.random() < REPEATED:
            # Without idempotency keys it is a call of its own, and judged as one.
            again: dict[str, Any] = {"again": True}
            if self.contract.idempotent:
                again["first"] = {"outcome": reply.outcome, "body": reply.body}
            self._send(f"{operation} again", request, {**meant, **again})
        return reply

    def may(self, operation: Operation) -> bool:
        """Say whether the target has an operation."""
        return operation in self.plan.operations

    def _signed_in(self) -> Caller:
        if time.monotonic() - self.signed > TOKEN_SECONDS / 2 or not self.signed:
            self.signed = time.monotonic()
            self.caller = replace(self.caller, token=token(shared.target, self.caller.user_id))
        return self.caller

    def _send(self, name: str, request: Request, meant: dict[str, Any] | None = None) -> Reply:
        self.count += 1
        trace = f"load-{self.plan.run}-{self.number}-{self.count}"
        reply = Reply(Outcome.UNKNOWN, message="stopped before the answer came")
        try:
            network = Network("", trace, 0)  # nothing disturbs a load but its own numbers
            reply = call(self.session, shared.target, request, trace_id=trace, test_id=TEST_ID, network=network)
            if meant is not None:
                self.contract.judge(reply, shared.target.environment.refusals)
                if reply.outcome is Outcome.ACCEPTED:
                    reply.said = self.contract.read(meant["operation"], reply.body)
        finally:
            # Also when Locust ends this user in the middle of the request: it may or may not have happened.
            if meant is not None:
                for lost in self._tries_lost(reply):
                    shared.answers.keep(_record(request, lost, trace, {**meant, "lost": True}))
                shared.answers.keep(_record(request, reply, trace, meant))
        self.environment.events.request.fire(
            request_type=self.role,
            name=name,
            response_time=reply.latency_ms,
            response_length=0,
            context={},
            exception=self._failure(reply),
        )
        return reply

    def _tries_lost(self, reply: Reply) -> list[Reply]:
        """Name the tries before the last one: without idempotency keys each of them may have acted by itself."""
        if self.contract.idempotent:
            return []
        tries = [one for one in reply.attempts if one != str(TOO_MANY)]
        return [Reply(Outcome.UNKNOWN, message=one, started=reply.started) for one in tries[:-1]]

    def _failure(self, reply: Reply) -> RequestFailedError | None:
        """Say what is wrong with a reply.

        Another studio may word a refusal so that nobody can read it, or not let its front desk do what ours may: that
        is told at the end, and no failure.
        """
        if reply.outcome is Outcome.ACCEPTED or (reply.outcome is Outcome.REFUSED and reply.reason in EXPECTED):
            return None
        if reply.outcome is Outcome.REFUSED and not self.contract.reference:
            of_the_desk = reply.reason is Refusal.NOT_ALLOWED and self.role == FrontDesk.role
            if of_the_desk or reply.reason is None:
                return None
        return RequestFailedError(reply.described())


def _ours(operation: Operation, said: dict[str, Any]) -> dict[str, Any]:
    """Put our words into the arguments of our own studio's functions."""
    return {OUR_ARGUMENTS[operation][word]: value for word, value in said.items() if word in OUR_ARGUMENTS[operation]}


def _record(request: Request, reply: Reply, trace: str, meant: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": reply.started,
        "trace": trace,
        "caller": request.caller.user_id,
        "device": request.caller.device.name,
        **meant,
        "key": request.key,
        "outcome": reply.outcome,
        "status": reply.status,
        "reason": reply.reason.name if reply.reason else None,
        "message": reply.message,
        "body": reply.body,
        "said": reply.said,
        "ms": round(reply.latency_ms, 2),
    }


class Member(Client):
    """A member: looks at the schedule, books, cancels, moves; and is there when a popular class opens."""

    role = "member"
    weight = 9
    user_id = ""

    def sign_in(self) -> Caller:
        """Be one of the members; where there are more users than members, several devices are one member."""
        self.user_id = self.plan.members[self.number % len(self.plan.members)]
        device = devices()[self.random.choice(PHONES)]
        return Caller("member", "user", self.user_id, device, shared.target.environment.zone)

    @task
    def act(self) -> None:
        """Do one thing."""
        length = WAVE_SECONDS.get(self.plan.traffic)
        if length is not None:
            now = time.time()  # the same instant on all machines
            wave = int(now // length) + 1
            wait = wave * length - now
            if self.plan.traffic is Traffic.RUSH or (wait < LEAD_SECONDS and wave != self.wave):
                self.wave = wave
                gevent.sleep(wait)
                self.rush(self.plan.popular[wave % len(self.plan.popular)])
                return
        self.everyday()

    def rush(self, slot: str) -> None:
        """Be one of many who want the same few places; some who get one give it back soon."""
        reply = self.book(slot)
        if reply.outcome is Outcome.ACCEPTED and self.may(Operation.CANCEL) and self.random.random() < 0.6:
            said = reply.body if reply.said is None else reply.said
            if said.get("booking_id"):
                self.cancel(said["booking_id"], slot)
            else:  # the app looks it up, as the answer does not name it
                self.give_back()

    def everyday(self) -> None:
        """Do what members do on any day, as often as they do it."""
        (action,) = self.random.choices((self.look, self.reserve, self.give_back, self.move), (45, 30, 14, 11))
        action()

    def look(self) -> None:
        """Look at the schedule of one day."""
        day = self.random.choice(list(self.plan.classes))
        self.read("schedule", f"/{self.schedule}", {"date": f"eq.{day}", "order": "start_time"})

    def reserve(self) -> None:
        """Look at one class and book it; some do not wait for the answer of their first tap."""
        slot = self.some_class()
        key = "slot_id" if self.schedule == OCCUPANCY else "id"
        self.read("class", f"/{self.schedule}", {key: f"eq.{slot}"})
        self.book(slot)

    def mine(self) -> list[dict[str, Any]]:
        """Look at what is booked."""
        params = {"user_id": f"eq.{self.user_id}", "status": self.standing, "select": "id,slot_id"}
        return self.read("own bookings", "/pilates_bookings", params)

    def give_back(self) -> None:
        """Cancel a booking."""
        if self.may(Operation.CANCEL) and (booked := self.mine()):
            one = self.random.choice(booked)
            self.cancel(one["id"], one["slot_id"])

    def move(self) -> None:
        """Move a booking to another class."""
        if self.may(Operation.RESCHEDULE) and (booked := self.mine()):
            one, member = self.random.choice(booked), self.user_id
            slot = self.some_class()
            if Operation.RESCHEDULE not in self.contract.composites:
                self.ask(Operation.RESCHEDULE, member=member, booking=one["id"], **{"class": slot})
            elif self.cancel(one["id"], one["slot_id"]).outcome is Outcome.ACCEPTED:
                self.book(slot)

    def book(self, slot: str) -> Reply:
        """Book a class."""
        return self.ask(Operation.BOOK, member=self.user_id, **{"class": slot})

    def cancel(self, booking: str, slot: str) -> Reply:
        """Cancel a booking that is known."""
        return self.ask(Operation.CANCEL, member=self.user_id, booking=booking, **{"class": slot})


class FrontDesk(Client):
    """The front desk: books for members, removes, sells classes, confirms who was there."""

    role = "front desk"
    weight = 1

    def sign_in(self) -> Caller:
        """Be the secretary."""
        device = devices()[DESK_DEVICE]
        return Caller("front desk", "secretary", self.plan.staff["secretary"], device, shared.target.environment.zone)

    @task(30)
    def book_for_a_member(self) -> None:
        """Somebody rings up and wants a class."""
        if self.contract.reference or self.contract.can_name(Operation.BOOK, "member"):
            member, slot = self.random.choice(self.plan.members), self.some_class()
            self.ask(Operation.BOOK, member=member, **{"class": slot})

    @task(20)
    def sell(self) -> None:
        """Sell classes."""
        if self.may(Operation.CREDIT):
            member = self.random.choice(self.plan.members)
            classes = self.random.randint(1, MOST_CREDITED)
            self.ask(Operation.CREDIT, member=member, classes=classes)

    @task(20)
    def remove(self) -> None:
        """Take somebody out of a class."""
        self._with_a_booking(Operation.ADMIN_REMOVE)

    @task(30)
    def confirm(self) -> None:
        """Confirm that somebody was there."""
        self._with_a_booking(Operation.CONFIRM)

    def _with_a_booking(self, operation: Operation) -> None:
        params = {"slot_id": f"eq.{self.some_class()}", "status": self.standing, "select": "id,user_id,slot_id"}
        if self.may(operation) and (booked := self.read("who is booked", "/pilates_bookings", params)):
            one = self.random.choice(booked)
            self.ask(operation, member=one["user_id"], booking=one["id"], **{"class": one["slot_id"]})
