"""One case while it runs: its people, its classes, the calls made so far, and what they left in the database.

After every step (one call, or several released together) the rows are read and every invariant is checked;
what broke is kept and raised by the next expectation, so that a scenario's own words come first in the log.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from threading import Barrier
from typing import Any

import requests

from acceptance import client, failure, invariants, orders, rows, snapshot
from acceptance.bench import Bench
from acceptance.client import Caller, Outcome, Reply, Request
from acceptance.datafiles import devices
from acceptance.errors import SuiteError
from acceptance.history import Done, Planned, exchange, log_record, one_call, seen
from acceptance.invariants import Breach, Facts, View
from acceptance.model import Call, Operation, State, Status
from acceptance.network import Network
from acceptance.scene import Scene

RELEASE_SECONDS = 30
STAFF = {"front desk": ("secretary", "admin"), "trainer": ("trainer",)}
NOBODY = "00000000-0000-4000-8000-000000000000"
Send = Callable[[requests.Session, Request], Reply]


class BrokenPromise(AssertionError):  # noqa: N818 - a finding about the target, not an error of the suite
    """The target broke an expectation or an invariant; Robot Framework shows the message alone."""

    ROBOT_SUPPRESS_NAME = True


class NotProven(Exception):  # noqa: N818 - Robot Framework takes it as a skip, not as an error
    """The target lacks what the case needs: skipped, and counted as not proven."""

    ROBOT_SKIP_EXECUTION = True
    ROBOT_SUPPRESS_NAME = True


class RunningCase(Scene):
    """What happens in one case, and what it left behind.

    Args:
        bench: the process's tools.
        name: the test's name; its first word is the case's id.
        seed: source of everything random in the case.
        trace_id: the record's trace; the run's own is derived from it, so that two runs never share one.
    """

    def __init__(self, bench: Bench, name: str, seed: int, trace_id: str):
        super().__init__(bench, name.split()[0], seed)
        self.name = name
        self.trace_id = str(uuid.uuid5(uuid.UUID(trace_id), f"{bench.run}/{self.attempt}"))
        self.network = Network(self.random)
        self.bookings: dict[str, str] = {}
        self.steps: list[list[Done]] = []
        self.breaches: list[Breach] = []
        self.first: snapshot.Snapshot | None = None
        self.last: snapshot.Snapshot | None = None
        self.plan: list[Planned] | None = None
        self.delay = 0.0
        self.changed = False
        self.explained: bool | None = True
        self.exchanges: list[dict[str, Any]] = []
        self.snapshots: list[tuple[snapshot.Snapshot, snapshot.Snapshot]] = []
        self.complaints: list[str] = []
        self.crashes: list[str] = []
        # What a fault has left to do once the calls are over, before the rows can be read: wait, connect again.
        self.aftermath: list[Callable[[], None]] = []
        self._aliases: dict[str, str] = {}
        self._raised = 0

    def change_slot(self, *, when: str = "", active: bool = True, capacity: int = 0) -> None:
        """Change the class as a manager does, and forget the rows read before."""
        super().change_slot(when=when, active=active, capacity=capacity)
        self.last = None

    # --- calls --------------------------------------------------------------------------------------------

    def caller(self, name: str, device: str = "") -> Caller:
        """Return somebody by name, on another device where one is named."""
        if name in STAFF:
            person = self.bench.staff(self.random.choice(STAFF[name]))
            table, row = rows.user(person.user_id or "", person.role, person.name)
            self.events.append({"insert": table, "row": row})
        elif name == "stranger" and name not in self.people:
            person = self.add_member("stranger", 1)
        elif name in self.people:
            person = self.people[name]
        else:
            raise SuiteError(f"nobody is called {name!r} in this scenario; say first who there is.")
        if device and device not in devices():
            raise SuiteError(f"there is no device {device!r} in data/devices.yaml; known: {', '.join(devices())}.")
        return replace(person, device=devices()[device]) if device else person

    def slot(self, name: str) -> str:
        """Return the id of "class" or "other class"."""
        if name not in self.slots:
            raise SuiteError(f"this scenario has no {name}; say first when it is and how many places it has.")
        return self.slots[name]

    def booking_of(self, member: str) -> tuple[str, str]:
        """Return the model's name and the row's id of a member's latest booking, a standing one first."""
        user_id = self.people[member].user_id
        mine = [b for b in self.state.bookings if b.member == user_id]
        standing = [b for b in mine if b.status is Status.CONFIRMED]
        chosen = (standing or mine)[-1:]
        return (chosen[0].id, self.bookings.get(chosen[0].id, chosen[0].id)) if chosen else ("none", NOBODY)

    def ask(
        self, operation: Operation, caller: Caller, *, member: str = "member", slot: str = "class", classes: int = 0
    ) -> None:
        """Make a call, or plan it while calls are being collected for a common release.

        Args:
            operation: what is asked.
            caller: who asks.
            member: whose booking, deposit or place it is about.
            slot: "class", or for a reschedule the "other class".
            classes: how many, for a credit.

        Raises:
            NotProven: when the target lacks the operation.
        """
        if operation not in self.bench.operations:
            raise NotProven(f"not proven: the target lacks {self.bench.target.environment.functions[operation]}.")
        number = self.number()
        subject = self.people[member].user_id or ""
        name, booking_id = self.booking_of(member)
        slot_id = self.slot(slot) if operation in (Operation.BOOK, Operation.RESCHEDULE) else ""
        call = Call(
            operation,
            caller.user_id or "",
            caller.role,
            member=subject,
            slot=slot_id,
            booking=name,
            creates=f"made-{number}",
            classes=classes,
        )
        body = {
            Operation.BOOK: {"p_user_id": subject, "p_slot_id": slot_id},
            Operation.CANCEL: {"p_booking_id": booking_id, "p_user_id": subject},
            Operation.RESCHEDULE: {"p_booking_id": booking_id, "p_user_id": subject, "p_new_slot_id": slot_id},
            Operation.ADMIN_REMOVE: {"p_booking_id": booking_id, "p_reason": "acceptance test"},
            Operation.CONFIRM: {"p_booking_id": booking_id, "p_user_id": subject},
            Operation.CREDIT: {"p_user_id": subject, "p_classes": classes},
            Operation.EXPIRE: {},
        }[operation]
        planned = Planned(
            call,
            caller,
            self._path(operation),
            body,
            str(uuid.uuid5(uuid.UUID(self.trace_id), str(number))),
            self.delay,
        )
        if self.plan is None:
            self._take_step([planned])
        else:
            self.plan.append(planned)

    def release(self) -> None:
        """Make all planned calls at once."""
        planned, self.plan, self.delay = self.plan or [], None, 0.0
        if not planned:
            raise SuiteError("nothing was planned to happen at the same time.")
        met: Counter[str] = Counter()
        for position, one in enumerate(planned):
            met[one.caller.name] += 1
            if met[one.caller.name] > 1:  # the same person twice at once: two actors in the logs
                name = f"{one.caller.name}-{met[one.caller.name]}"
                planned[position] = replace(one, caller=replace(one.caller, name=name))
        self._take_step(planned)

    def repeat(self) -> None:
        """Send the last request again: same body, same idempotency key."""
        first = self.done()
        request = Request("POST", first.path, first.caller, body=first.body, key=first.key)
        before = self._before()
        # A first request that got no answer and changed nothing may act now; otherwise a repetition never may.
        open_yet = first.reply.outcome is Outcome.UNKNOWN and not self.changed
        reply = self._send(self.bench.session, request)
        done = replace(first, reply=reply, repeats=first, may_act=open_yet)
        self._learn(done)
        self._settle(before, [done], None if open_yet else self.state)

    def survive(self, act: Callable[[Send], list[Done]]) -> None:
        """Take up what was asked while something was killed, and go on from the rows that are there then.

        Args:
            act: makes the calls, from threads with an HTTP session each, and returns each caller's in their order.
        """
        before = self._before()
        calls = act(self._send)
        for done in calls:
            self._learn(done)
        self._settle(before, calls, self.state)
        self.state = orders.state_of(self.state, self.last or before)

    def done(self) -> Done:
        """Return the last call."""
        if not self.steps:
            raise SuiteError("nothing has been asked of the studio yet.")
        return self.steps[-1][-1]

    def _path(self, operation: Operation) -> str:
        return f"/rpc/{self.bench.target.environment.functions[operation]}"

    def _send(self, session: requests.Session, request: Request) -> Reply:
        target = self.bench.target
        reply = client.call(
            session, target, request, trace_id=self.trace_id, test_id=self.test_id, network=self.network
        )
        self.exchanges.append(exchange(request, reply))
        return reply

    def _take_step(self, planned: list[Planned]) -> None:
        before = self._before()
        barrier = Barrier(len(planned))

        def task(one: Planned) -> Callable[[requests.Session], Reply]:
            def run(session: requests.Session) -> Reply:
                barrier.wait(RELEASE_SECONDS)
                time.sleep(one.delay)
                request = Request("POST", one.path, one.caller, body=one.body, key=one.key)
                return self._send(session, request)

            return run

        tasks = [task(one) for one in planned]
        replies = [tasks[0](self.bench.session)] if len(tasks) == 1 else self.bench.together(tasks)
        step = [Done(p.call, p.caller, p.path, p.body, p.key, reply) for p, reply in zip(planned, replies, strict=True)]
        self.events.append({"calls": [one_call(p, done) for p, done in zip(planned, step, strict=True)]})
        for done in step:
            self._learn(done)
        self._settle(before, step, None)

    def _learn(self, done: Done) -> None:
        """Keep the ids that an accepted answer gave out."""
        if done.reply.outcome is not Outcome.ACCEPTED:
            return
        if done.call.operation in (Operation.BOOK, Operation.RESCHEDULE):
            self.bookings[done.call.creates] = str(done.said("booking_id"))
        if done.call.operation is Operation.CREDIT:
            deposit_id = str(done.said("deposit_id"))
            self.credited[deposit_id] = done.call.classes
            self._aliases[deposit_id] = done.call.creates

    # --- judgement ----------------------------------------------------------------------------------------

    def clear_up(self) -> None:
        """Do what the faults have left to do."""
        while self.aftermath:
            self.aftermath.pop(0)()

    def snapshot(self) -> snapshot.Snapshot:
        """Read the case's rows now."""
        self.insert()
        users = [person.user_id for person in self.people.values() if person.user_id]
        bench = self.bench
        return snapshot.take(bench.connection, bench.catalogue, users, self.slots.values(), self.trace_id)

    def _before(self) -> snapshot.Snapshot:
        if self.last is None or self.waiting:
            self.last = self.snapshot()
        if self.first is None:
            self.first = self.last
        return self.last

    def _settle(self, before: snapshot.Snapshot, step: list[Done], known: State | None) -> None:
        """Read the rows after a step, find the order that explains it, check the invariants, write the log."""
        self.clear_up()
        self.steps.append(step)
        self.last = self.snapshot()
        after = self.last
        state, explained = known, True
        if known is None:
            try:
                state = orders.explain(
                    self.state, [seen(done) for done in step], lambda state: orders.agrees(state, after, self._aliases)
                )
                explained = state is not None
            except orders.SearchLimitError:
                explained = None
        self.explained = explained
        self.changed = before.rows() != after.rows()
        self.snapshots.append((before, after))
        breaches = invariants.check(self._facts(before, explained))
        self.breaches += [b for b in breaches if b not in self.breaches]
        if state is not None:
            self.state = state
        broken = {breach.invariant for breach in breaches}
        checks = {name: name not in broken for name in invariants.CHECKS}
        for done in step:
            record = log_record(done, self.test_id, self.seed, self.trace_id, len(self.steps), checks)
            self.bench.evidence.log({"env": self.bench.target.environment.name, **record})

    def _facts(self, before: snapshot.Snapshot, explained: bool | None, views: list[View] | None = None) -> Facts:
        after = self.last or before
        given = frozenset(row["id"] for table, row in self.made if table == "pilates_bookings")
        facts = Facts(before, after, self.steps, self.credited, self.names, self.peak, explained, views or [], given)
        facts.crashes = self.crashes
        return facts

    def expect(self, holds: bool, sentence: str) -> None:
        """Raise what broke and was not raised yet, with a scenario's own expectation where that does not hold.

        Raises:
            BrokenPromise: names every breach, the case, its seed and trace, and how to run it again.
        """
        news = self.breaches[self._raised :]
        if holds and not news:
            return
        self._raised = len(self.breaches)
        lines = [str(breach) for breach in news]
        if not holds:
            lines.append(sentence)
        self.complaints += lines
        lines.append(f"Case {self.test_id}, seed {self.seed}, trace {self.trace_id}.")
        lines.append(f"Again: python3 tools/pilates.py replay {self.test_id}    Evidence: {failure.folder(self)}")
        raise BrokenPromise("\n".join(lines))

    def look(self) -> None:
        """Let the member, the staff and those who must not see anything read the case's rows through the API."""
        if "member" not in self.people:
            return
        member = self.people["member"]
        stranger_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        stranger = replace(member, name="a stranger", token=client.token(self.bench.target, stranger_id))
        visitor = replace(member, name="a visitor without sign-in", token=None)
        of_member = {"user_id": f"eq.{member.user_id}"}
        of_slots = {"slot_id": f"in.({','.join(self.slots.values())})"}
        staff = replace(self.bench.staff("admin"), name="the front desk")
        looks = [(c, t, True, of_member) for c in (member, staff) for t in ("pilates_bookings", "pilates_deposits")]
        outsider = self.random.choice((stranger, visitor)) if member.role == "user" else visitor
        looks += [(outsider, t, False, of_member) for t in ("pilates_bookings", "pilates_deposits")]
        if self.slots:
            looks.append((member, rows.OCCUPANCY, True, of_slots))
        views = [self._view(*look) for look in looks]
        breaches = invariants.check(self._facts(self._before(), True, views), "I8")
        self.breaches += [b for b in breaches if b not in self.breaches]

    def read(self, request: Request) -> Any:
        """Read through the API; None when the studio refuses."""
        reply = self._send(self.bench.session, request)
        return reply.body if reply.outcome is Outcome.ACCEPTED else None

    def _view(self, caller: Caller, table: str, sees: bool, condition: dict[str, str]) -> View:
        params = {**condition, "select": ",".join(invariants.SHOWN[table])}
        name = "the member" if caller.name == "member" else caller.name
        return View(name, table, sees, self.read(Request("GET", f"/{table}", caller, params=params)))

    def end(self) -> None:
        """Finish the case: last look, snapshots, log, and the rows removed in any event.

        Raises:
            BrokenPromise: when something broke that no expectation has raised.
        """
        try:
            self.clear_up()
            if self.people:
                self._before()
                self.look()
                missing = self.network.not_exercised()
                self.expect(not missing, f"not exercised: planned, but it never took place: {', '.join(missing)}.")
        finally:
            self._write_snapshots()
            if self.complaints:
                failure.write(self)
            users = [person.user_id for person in self.people.values() if person.user_id]
            rows.remove_case(self.bench.connection, self.bench.catalogue, users, self.slots.values())
            self.bench.evidence.flush()

    def _write_snapshots(self) -> None:
        if self.first is not None and self.last is not None:
            self.bench.evidence.snapshot(f"{self.test_id}-before", self.first)
            self.bench.evidence.snapshot(f"{self.test_id}-after", self.last)
