"""Sends a case's requests through its network: one, several released together, or in the order of a schedule."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from threading import Barrier
from typing import Any

import requests

from acceptance import client, needs, snapshot
from acceptance.bench import Bench
from acceptance.client import Outcome, Reply, Request
from acceptance.errors import NotProven
from acceptance.faults import Disturbance
from acceptance.history import RPC, Done, Planned, exchange, request_record
from acceptance.instruments import Stop
from acceptance.memory import Memory
from acceptance.model import Operation
from acceptance.network import Condition, Network
from acceptance.schedule import Course, Move, Scheduler

RELEASE_SECONDS = 30
PLANNED = {"X-Fault-Plan": "yes"}  # by this header the instruments know that they need not look any further
Send = Callable[[requests.Session, Request], Reply]


class Sending(Memory):
    """A case that sends requests.

    Args:
        bench: the process's tools.
        test_id: the case's id.
        seed: source of everything random in the case.
        trace_id: the record's trace; the run's own is derived from it, so that two runs never share one.
    """

    def __init__(self, bench: Bench, test_id: str, seed: int, trace_id: str):
        super().__init__(bench, test_id, seed)
        self.trace_id = str(uuid.uuid5(uuid.UUID(trace_id), f"{bench.run}/{self.attempt}"))
        self.network = Network(bench.target.network_url, self.trace_id, seed)
        self.steps: list[list[Done]] = []
        self.last: snapshot.Snapshot | None = None
        self.moves: list[Move] = []
        self.faults: list[tuple[str, str, str | None]] = []
        self.courses: dict[int, Course] = {}
        self.exchanges: list[dict[str, Any]] = []

    # --- the network --------------------------------------------------------------------------------------

    def set_condition(self, condition: Condition) -> None:
        """Set what the network is like from here on.

        Raises:
            NotProven: when the target has no proxy to make it so.
        """
        if condition is not Condition.NORMAL:
            self._need_proxy(condition)
        self.network.condition = condition

    def disturb(self, disturbance: Disturbance) -> None:
        """Let the next call that changes something meet a fault.

        Raises:
            NotProven: when the target has no proxy to make it so.
        """
        self._need_proxy(disturbance.fault)
        self.network.plan(disturbance)

    def _need_proxy(self, what: str) -> None:
        if not self.network.url:
            raise NotProven(f"not proven: no network proxy stands before this target, so nothing can be {str(what)!r}.")

    # --- requests -----------------------------------------------------------------------------------------

    def send(self, request: Request) -> Reply:
        """Send a request that is no call of the model, and return the answer as it is."""
        if request.method != "GET":
            self.last = None
        reply = self._send(self.bench.session, request)
        self.log(request_record(request, reply, self.test_id, self.seed, self.trace_id, len(self.steps)))
        return reply

    def log(self, record: dict[str, Any]) -> None:
        """Write a record into the structured log."""
        self.bench.evidence.log({"env": self.bench.target.environment.name, **record})

    def read(self, request: Request) -> Any:
        """Read through the API; None when the studio refuses."""
        reply = self.send(request)
        return reply.body if reply.outcome is Outcome.ACCEPTED else None

    def _send(self, session: requests.Session, request: Request) -> Reply:
        target = self.bench.target
        reply = client.call(
            session, target, request, trace_id=self.trace_id, test_id=self.test_id, network=self.network
        )
        if request.path.startswith(RPC):
            self.bench.contract.judge(reply, target.environment.refusals)
        self.exchanges.append(exchange(request, reply))
        return reply

    def _replies(self, planned: list[Planned], labels: list[str]) -> list[Reply]:
        """Make calls: one, several released together, or in the order of a schedule."""
        self.last = None  # where a call comes to no end, whoever looks next reads the rows anew
        self.network.before_calls([(one.key, one.caller.device) for one in planned])
        barrier = Barrier(len(planned))
        steered = bool(self.moves or self.faults)

        def task(one: Planned) -> Callable[[requests.Session], Reply]:
            def run(session: requests.Session) -> Reply:
                if steered:
                    request = Request(one.method, one.path, one.caller, body=one.body, key=one.key, headers=PLANNED)
                else:
                    barrier.wait(RELEASE_SECONDS)
                    time.sleep(one.delay)
                    request = Request(one.method, one.path, one.caller, body=one.body, key=one.key)
                return self._send(session, request)

            return run

        tasks = [task(one) for one in planned]
        if steered:
            return self._in_order(planned, labels, tasks)
        return [tasks[0](self.bench.session)] if len(tasks) == 1 else self.bench.together(tasks)

    def _in_order(
        self, planned: list[Planned], labels: list[str], tasks: list[Callable[[requests.Session], Reply]]
    ) -> list[Reply]:
        """Make planned calls in the order of the schedule, and let the planned faults inside the database happen.

        Raises:
            NotProven: when the environment does not let the suite put its instruments into the database.
        """
        moves, faults, self.moves, self.faults = self.moves, self.faults, [], []
        needs.instruments(self.bench.target.environment)
        self.bench.use_instruments()
        calls = {
            label: (one.caller.name, self._function(one.call.operation), task)
            for label, one, task in zip(labels, planned, self.bench.with_sessions(tasks), strict=True)
        }
        stops = {labels[0]: [Stop(planned[0].caller.name, *fault) for fault in faults]}
        scheduler = Scheduler(self.bench.connection, self.bench.submit, self.trace_id)
        self.courses[len(self.steps)] = scheduler.course
        return scheduler.run(calls, moves, stops)

    def _function(self, operation: Operation) -> str:
        """Name what a server process works on while it makes a call, as its query shows."""
        function = self.bench.contract.functions.get(operation)
        return function.name if function else "pilates_schedule_slots"
