"""Makes the calls of a case: alone, several released together, repeated, or in the order of a schedule."""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Barrier
from typing import Any

import requests

from acceptance import client, needs, orders, snapshot
from acceptance.bench import Bench
from acceptance.client import Caller, Outcome, Reply, Request
from acceptance.errors import NotProven, SuiteError
from acceptance.faults import NEVER_REACHED_THE_SERVER, Disturbance, Fault
from acceptance.history import RPC, Done, Planned, exchange, one_call, request_record
from acceptance.instruments import Stop
from acceptance.memory import NOBODY, Memory
from acceptance.model import OF_THE_SCHEDULE, Call, Operation, State
from acceptance.network import Condition, Network
from acceptance.schedule import Course, Move, Scheduler

RELEASE_SECONDS = 30
PLANNED = {"X-Fault-Plan": "yes"}  # by this header the instruments know that they need not look any further
EXPIRY_LOCK = 0x0ACCE97C
CALLED = {"secretary": "front desk", "admin": "front desk"}
Send = Callable[[requests.Session, Request], Reply]


def actor_names(planned: Sequence[Planned]) -> list[str]:
    """Name the actors of a step as a schedule does: "member", "front desk", and "member 2" for a second call."""
    names = [CALLED.get(one.caller.name, one.caller.name) for one in planned]
    counts = [names[: position + 1].count(name) for position, name in enumerate(names)]
    return [name if count == 1 else f"{name} {count}" for name, count in zip(names, counts, strict=True)]


class Asking(Memory, ABC):
    """A case that asks the studio for things; what comes of them is judged by ``settle``.

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
        self.plan: list[Planned] | None = None
        self.delay = 0.0
        self.next_key: str | None = None
        self.moves: list[Move] = []
        self.faults: list[tuple[str, str, str | None]] = []
        self.courses: dict[int, Course] = {}
        # Why an expectation of the scenario may rightly not hold on this target, once that has come to light.
        self.doubt = ""
        self.exchanges: list[dict[str, Any]] = []
        self.kills_planned: list[str] = []
        self._expiry_alone = False

    @abstractmethod
    def before(self) -> snapshot.Snapshot:
        """Return the rows as they are before a step."""

    @abstractmethod
    def settle(self, before: snapshot.Snapshot, step: list[Done], known: State | None) -> None:
        """Read what a step has left, and judge it.

        Args:
            before: the rows before it.
            step: the calls with their answers.
            known: the model's state after them, where that is known; None lets an order of the calls be looked for.
        """

    def add_slot(self, name: str, when: str, capacity: int) -> None:
        """Make a class, and forget the rows read before."""
        super().add_slot(name, when, capacity)
        self.last = None

    def expire_deposits(self) -> None:
        """Let the time of the member's deposits be over, and forget the rows read before."""
        super().expire_deposits()
        self.last = None

    def end_first_deposit(self, *, expire: bool) -> None:
        """Let a deposit end, and forget the rows read before."""
        super().end_first_deposit(expire=expire)
        self.last = None

    def change_slot(self, *, when: str = "", active: bool = True, capacity: int = 0) -> None:
        """Change the class as a manager does, and forget the rows read before."""
        super().change_slot(when=when, active=active, capacity=capacity)
        self.last = None

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

    # --- calls --------------------------------------------------------------------------------------------

    def ask(
        self,
        operation: Operation,
        caller: Caller,
        *,
        member: str = "member",
        slot: str = "class",
        classes: int = 0,
        places: int = 0,
        own_name: bool = False,
    ) -> None:
        """Make a call, or plan it while calls are being collected for a common release.

        Args:
            operation: what is asked.
            caller: who asks.
            member: whose booking, deposit or place it is about.
            slot: "class", or for a reschedule the "other class".
            classes: how many, for a credit.
            places: how many the class shall have, for a change of its size.
            own_name: whether the caller names himself as the one whose booking it is, which it may not be.

        Raises:
            NotProven: when the target lacks the operation.
        """
        contract = self.bench.contract
        if operation in contract.composites:
            self._compose(operation, caller, member=member, slot=slot)
            return
        contract.need(operation)
        number = self.number()
        subject = self.people[member].user_id or ""
        name, booking_id = self.booking_of(member)
        of_a_slot = operation in (Operation.BOOK, Operation.RESCHEDULE) or operation in OF_THE_SCHEDULE
        slot_id = self.slot(slot) if of_a_slot else ""
        if operation is Operation.EXPIRE:
            self.have_expiry_alone()
        call = Call(
            operation,
            caller.user_id or "",
            caller.role,
            member=subject,
            slot=slot_id,
            booking=name,
            creates=f"made-{number}",
            classes=classes,
            places=places,
        )
        named = (caller.user_id or NOBODY) if own_name else subject
        meant = {
            Operation.BOOK: {"p_user_id": subject, "p_slot_id": slot_id},
            Operation.CANCEL: {"p_booking_id": booking_id, "p_user_id": named},
            Operation.RESCHEDULE: {"p_booking_id": booking_id, "p_user_id": named, "p_new_slot_id": slot_id},
            Operation.ADMIN_REMOVE: {"p_booking_id": booking_id, "p_reason": "acceptance test"},
            Operation.CONFIRM: {"p_booking_id": booking_id, "p_user_id": named},
            Operation.CREDIT: {"p_user_id": subject, "p_classes": classes},
            Operation.EXPIRE: {},
            Operation.SWITCH_OFF: {"is_active": False},
            Operation.RESIZE: {"max_capacity": places},
            Operation.CALL_OFF: {},
        }[operation]
        planned = Planned(
            call,
            caller,
            self._path(operation, slot_id),
            meant if contract.reference or operation in OF_THE_SCHEDULE else self._body(call, booking_id),
            self.next_key or self._key(number),
            self.delay,
            meant=meant,
        )
        if self.plan is None:
            self._take_step([planned], actor_names([planned]))
        else:
            self.plan.append(planned)

    def _body(self, call: Call, booking_id: str) -> dict[str, Any]:
        """Put a call into the arguments of the target's function.

        Raises:
            NotProven: when the function acts for its caller only, and somebody else is meant.
        """
        contract, operation = self.bench.contract, call.operation
        for_another = operation in (Operation.BOOK, Operation.CREDIT) and call.caller != call.member
        if for_another:
            needs.argument_for_another(contract, operation)
        booking = self.state.booking(call.booking)
        words = {
            "member": call.member,
            "class": call.slot or (booking.slot if booking else None),
            "booking": booking_id,
            "reason": "acceptance test",
            "classes": call.classes,
        }
        return contract.body(operation, words)

    def _compose(self, operation: Operation, caller: Caller, *, member: str, slot: str) -> None:
        """Make the calls of which an app of this target makes one; it stops at the first that is not accepted.

        Raises:
            NotProven: when it should happen at the same time as something else.
        """
        needs.one_call(operation, at_once=self.plan is not None)
        self.doubt = f"the target's {operation} is several calls, and not all or nothing"
        for one in self.bench.contract.composites[operation]:
            self.ask(one, caller, member=member, slot=slot)
            if self.done().reply.outcome is not Outcome.ACCEPTED:
                return

    def release(self) -> None:
        """Make all planned calls at once."""
        planned, self.plan, self.delay = self.plan or [], None, 0.0
        if not planned:
            raise SuiteError("nothing was planned to happen at the same time.")
        labels = actor_names(planned)
        met: Counter[str] = Counter()
        for position, one in enumerate(planned):
            met[one.caller.name] += 1
            if met[one.caller.name] > 1:  # the same person twice at once: two actors in the logs
                name = f"{one.caller.name}-{met[one.caller.name]}"
                planned[position] = replace(one, caller=replace(one.caller, name=name))
        self._take_step(planned, labels)

    def repeat(self) -> None:
        """Send the last request again: same body, same idempotency key.

        Where nobody knew what came of the first one, the rows have told since: it acts now if it did not before.
        """
        first = self.done()
        unclear = first.reply.outcome is Outcome.UNKNOWN
        if unclear and len(self.steps[-1]) > 1:
            raise SuiteError(
                "whether a call among several at the same time took place cannot be told; repeat single ones."
            )
        if not self.bench.contract.idempotent:
            self._ask_again(first, first.key)
            return
        before = self.before()
        again = Planned(first.call, first.caller, first.path, first.body, first.key, meant=first.meant)
        faulty = bool(self.faults or self.kills_planned)
        (reply,) = self._replies([again], actor_names([again]))
        disturbed = faulty or self.network.disturbs(again.key)
        done = replace(first, reply=reply, repeats=first, disturbed=disturbed)
        self._read(done)
        self.learn(done)
        self.settle(before, [done], None if unclear and not first.happened else self.state)

    def tap_again(self) -> None:
        """Ask for the same as the last call once more, as a new call with a key of its own.

        Raises:
            SuiteError: when the last call got a clear answer.
        """
        last = self.done()
        if last.reply.outcome is not Outcome.UNKNOWN:
            raise SuiteError(f"nobody taps again who knows the answer, and the last one is {last.reply.described()}.")
        number = self.number()
        call = replace(last.call, creates=f"made-{number}")
        planned = Planned(call, last.caller, last.path, last.body, self._key(number), self.delay, meant=last.meant)
        if self.plan is None:
            self._take_step([planned], actor_names([planned]))
        else:
            self.plan.append(planned)

    def _ask_again(self, first: Done, key: str) -> None:
        """Send a request again to a target that keeps no keys: it is a call of its own, and judged as one."""
        self.doubt = "the target keeps no idempotency keys, so a repeated request is a new one"
        call = replace(first.call, creates=f"made-{self.number()}")
        planned = Planned(call, first.caller, first.path, first.body, key, meant=first.meant)
        self._take_step([planned], actor_names([planned]))

    def _key(self, number: int) -> str:
        return str(uuid.uuid5(uuid.UUID(self.trace_id), str(number)))

    def survive(self, act: Callable[[Send], list[Done]]) -> None:
        """Take up what was asked while something was killed, and go on from the rows that are there then.

        Args:
            act: makes the calls, from threads with an HTTP session each, and returns each caller's in their order.
        """
        before = self.before()
        calls = act(self._send)
        for done in calls:
            self.learn(done)
        self.settle(before, calls, self.state)
        self.state = orders.state_of(self.state, self.last or before)

    def done(self) -> Done:
        """Return the last call."""
        if not self.steps:
            raise SuiteError("nothing has been asked of the studio yet.")
        return self.steps[-1][-1]

    def _path(self, operation: Operation, slot_id: str) -> str:
        if operation in OF_THE_SCHEDULE:
            return f"/pilates_schedule_slots?id=eq.{slot_id}"
        return self.bench.contract.path(operation)

    def _send(self, session: requests.Session, request: Request) -> Reply:
        target = self.bench.target
        reply = client.call(
            session, target, request, trace_id=self.trace_id, test_id=self.test_id, network=self.network
        )
        if request.path.startswith(RPC):
            self.bench.contract.judge(reply, target.environment.refusals)
        self.exchanges.append(exchange(request, reply))
        return reply

    def _read(self, done: Done) -> None:
        """Put an accepted answer into the contract's words."""
        if done.reply.outcome is Outcome.ACCEPTED:
            done.reply.said = self.bench.contract.read(done.call.operation, done.reply.body)

    def _take_step(self, planned: list[Planned], labels: list[str]) -> None:
        before = self.before()
        faulty = bool(self.faults or self.kills_planned)
        replies = self._replies(planned, labels)
        disturbed = faulty or any(self.network.disturbs(one.key) for one in planned)
        step = [Done.of(one, reply, disturbed=disturbed) for one, reply in zip(planned, replies, strict=True)]
        for number, done in enumerate(step):
            self._read(done)
            done.unseen = self._count_unseen(done)
            first = next((first for first in step[:number] if first.key == done.key), None)
            if first is not None and not self.bench.contract.idempotent:
                self.doubt = "the target keeps no idempotency keys, so a repeated request is a new one"
                done.call = replace(done.call, creates=f"made-{self.number()}")
            else:
                done.repeats = first
        self.events.append({"calls": [one_call(p, done) for p, done in zip(planned, step, strict=True)]})
        for done in step:
            self.learn(done)
        reused, self.next_key = self.next_key is not None, None
        # A request with another one's key is no call of the model: it may be turned away for the key alone.
        turned_away = reused and step[-1].reply.outcome is Outcome.REFUSED
        self.settle(before, step, self.state if turned_away else None)

    def _replies(self, planned: list[Planned], labels: list[str]) -> list[Reply]:
        """Make calls: one, several released together, or in the order of a schedule."""
        self.last = None  # where a call comes to no end, whoever looks next reads the rows anew
        self.network.before_calls(self.bench.session, [(one.key, one.caller.device) for one in planned])
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

    def have_expiry_alone(self) -> None:
        """Keep other cases from checking for expired deposits until this one ends: the check acts on everybody's."""
        if not self._expiry_alone:
            self._expiry_alone = True
            self.last = None  # what was read before may have been switched off by another case since
            with self.bench.connection.cursor() as cursor:
                cursor.execute("select pg_advisory_lock(%s, 0)", (EXPIRY_LOCK,))

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

    def _count_unseen(self, done: Done) -> int:
        """Count the tries before the last one that may each have acted."""
        if self.bench.contract.idempotent:
            return 0
        tries = [one for one in done.reply.attempts if one not in set(NEVER_REACHED_THE_SERVER)]
        return max(0, len(tries) + tries.count(Fault.TWICE) - 1)
