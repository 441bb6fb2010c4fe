"""One case while it runs: its people, its classes, the calls made so far, and what they left in the database.

After every step (one call, or several released together) the rows are read and every invariant is checked;
what broke is kept and raised by the next expectation, so that a scenario's own words come first in the log.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from threading import Barrier
from typing import Any

import requests

from acceptance import calendar, client, failure, invariants, orders, rows, snapshot
from acceptance.bench import Bench
from acceptance.client import Caller, Outcome, Reply, Request
from acceptance.datafiles import devices
from acceptance.errors import NotProven, SuiteError
from acceptance.faults import NEVER_REACHED_THE_SERVER, Disturbance, Fault
from acceptance.history import Done, Planned, exchange, log_record, one_call, seen, seen_of
from acceptance.instruments import Stop
from acceptance.invariants import Breach, Facts, View
from acceptance.model import OF_THE_SCHEDULE, Call, Operation, State, Status
from acceptance.network import Condition, Network
from acceptance.scene import Scene
from acceptance.schedule import Course, Move, Scheduler

RELEASE_SECONDS = 30
PLANNED = {"X-Fault-Plan": "yes"}  # by this header the instruments know that they need not look any further
EXPIRY_LOCK = 0x0ACCE97C
CALLED = {"secretary": "front desk", "admin": "front desk"}
STAFF = {"front desk": ("secretary", "admin"), "trainer": ("trainer",)}
NOBODY = "00000000-0000-4000-8000-000000000000"
Send = Callable[[requests.Session, Request], Reply]


def actor_names(planned: Sequence[Planned]) -> list[str]:
    """Name the actors of a step as a schedule does: "member", "front desk", and "member 2" for a second call."""
    names = [CALLED.get(one.caller.name, one.caller.name) for one in planned]
    counts = [names[: position + 1].count(name) for position, name in enumerate(names)]
    return [name if count == 1 else f"{name} {count}" for name, count in zip(names, counts, strict=True)]


class BrokenPromise(AssertionError):  # noqa: N818 - a finding about the target, not an error of the suite
    """The target broke an expectation or an invariant; Robot Framework shows the message alone."""

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
        self.network = Network(bench.target.network_url, self.trace_id, seed)
        self.bookings: dict[str, str] = {}
        self.steps: list[list[Done]] = []
        self.breaches: list[Breach] = []
        self.broken_in: dict[Breach, int] = {}  # the number of the step after which it was first seen
        self.first: snapshot.Snapshot | None = None
        self.last: snapshot.Snapshot | None = None
        self.plan: list[Planned] | None = None
        self.delay = 0.0
        self.next_key: str | None = None
        self.moves: list[Move] = []
        self.faults: list[tuple[str, str, str | None]] = []
        self.courses: dict[int, Course] = {}
        self.changed = False
        self.looked_at_calendar = False
        self.explained: bool | None = True
        # Why an expectation of the scenario may rightly not hold on this target, once that has come to light.
        self.doubt = ""
        self.exchanges: list[dict[str, Any]] = []
        self.snapshots: list[tuple[snapshot.Snapshot, snapshot.Snapshot]] = []
        self.complaints: list[str] = []
        self.crashes: list[str] = []
        self.kills_planned: list[str] = []
        self.kills_seen: list[str] = []
        # What a fault has left to do once the calls are over, before the rows can be read: wait, connect again.
        self.aftermath: list[Callable[[], None]] = []
        self._aliases: dict[str, str] = {}
        self._asked: dict[str, int] = {}  # how many classes each call was to credit
        self._raised = 0
        self._expiry_alone = False

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
            raise NotProven(f"not proven: no network proxy stands before this target, so nothing can be {what!r}.")

    # --- calls --------------------------------------------------------------------------------------------

    def caller(self, name: str, device: str = "") -> Caller:
        """Return somebody by name, on another device where one is named."""
        if name == "studio":
            return replace(
                self.bench.staff("admin"),
                name="studio",
                role="service",
                user_id=None,
                token=client.token(self.bench.target, None, "service_role"),
            )
        if name in STAFF:
            person = self.bench.staff(self.random.choice(self.bench.contract.staff_roles(STAFF[name])))
            table, row = rows.user(person.user_id or "", self.bench.contract.role(person.role), person.name)
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
        if for_another and not contract.can_name(operation, "member"):
            name = contract.functions[operation].name
            raise NotProven(f"not proven: {name} has no argument for the member, so nobody can ask for another.")
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
        if self.plan is not None:
            raise NotProven(f"not proven: the target's {operation} is several calls, which have no common moment.")
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
        before = self._before()
        again = Planned(first.call, first.caller, first.path, first.body, first.key, meant=first.meant)
        faulty = bool(self.faults or self.kills_planned)
        (reply,) = self._replies([again], actor_names([again]))
        disturbed = faulty or self.network.disturbs(again.key)
        done = replace(first, reply=reply, repeats=first, disturbed=disturbed)
        self._read(done)
        self._learn(done)
        self._settle(before, [done], None if unclear and not first.happened else self.state)

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

    def _path(self, operation: Operation, slot_id: str) -> str:
        if operation in OF_THE_SCHEDULE:
            return f"/pilates_schedule_slots?id=eq.{slot_id}"
        return self.bench.contract.path(operation)

    def _send(self, session: requests.Session, request: Request) -> Reply:
        target = self.bench.target
        reply = client.call(
            session, target, request, trace_id=self.trace_id, test_id=self.test_id, network=self.network
        )
        if request.path.startswith("/rpc/"):
            self.bench.contract.judge(reply, target.environment.refusals)
        self.exchanges.append(exchange(request, reply))
        return reply

    def _read(self, done: Done) -> None:
        """Put an accepted answer into the contract's words."""
        if done.reply.outcome is Outcome.ACCEPTED:
            done.reply.said = self.bench.contract.read(done.call.operation, done.reply.body)

    def _take_step(self, planned: list[Planned], labels: list[str]) -> None:
        before = self._before()
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
            self._learn(done)
        reused, self.next_key = self.next_key is not None, None
        # A request with another one's key is no call of the model: it may be turned away for the key alone.
        turned_away = reused and step[-1].reply.outcome is Outcome.REFUSED
        self._settle(before, step, self.state if turned_away else None)

    def _replies(self, planned: list[Planned], labels: list[str]) -> list[Reply]:
        """Make calls: one, several released together, or in the order of a schedule."""
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
        environment = self.bench.target.environment
        if not environment.instruments:
            raise NotProven(f"not proven: {environment.name} does not allow instruments in its database.")
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
            with self.bench.connection.cursor() as cursor:
                cursor.execute("select pg_advisory_lock(%s, 0)", (EXPIRY_LOCK,))

    def _learn(self, done: Done) -> None:
        """Keep what was asked for, and the ids that an accepted answer gave out."""
        self._asked[done.call.creates] = done.call.classes
        if done.reply.outcome is not Outcome.ACCEPTED:
            return
        if done.call.operation in (Operation.BOOK, Operation.RESCHEDULE) and done.says("booking_id"):
            self.bookings[done.call.creates] = str(done.said("booking_id"))
        if done.call.operation is Operation.CREDIT and done.says("deposit_id"):
            deposit_id = str(done.said("deposit_id"))
            if deposit_id in self.credited and not self.bench.contract.reference:
                return  # topped up: the rows tell by how much
            self.credited[deposit_id] = done.call.classes
            self._aliases[deposit_id] = done.call.creates

    def _learn_from_rows(self, found: snapshot.Snapshot) -> None:
        """Find the ids of bookings that were made without a clear answer, as a member does by looking."""
        for booking in self.state.bookings:
            if booking.id.startswith("made-") and booking.id not in self.bookings:
                wanted = (booking.member, booking.slot, str(booking.status))
                fits = [r["id"] for r in found.bookings if (r["user_id"], r["slot_id"], r["status"]) == wanted]
                news = [row_id for row_id in fits if row_id not in self.bookings.values()]
                if not news and not self.bench.contract.reference:
                    news = fits  # a row that was revived keeps its id
                if news:
                    self.bookings[booking.id] = news[0]
        if self.bench.contract.reference:
            self._learn_credited(found)

    def _learn_credited(self, found: snapshot.Snapshot) -> None:
        """Find the rows of deposits credited without a clear answer, and which of several at once is the older one.

        What comes next may depend on it, for the older one pays first; that the rows fit some order was judged before.
        """
        rows_of: dict[str, dict[str, Any]] = {self._aliases.get(row["id"], row["id"]): row for row in found.deposits}
        made = [deposit for deposit in self.state.deposits if deposit.id.startswith("made-")]
        known = {deposit.id for deposit in self.state.deposits}
        for deposit in made:
            wanted = (deposit.member, deposit.remaining)
            strays = [
                n for n, r in rows_of.items() if n not in known and (r["user_id"], r["deposit_remaining"]) == wanted
            ]
            if deposit.id not in rows_of and strays:
                row = rows_of[deposit.id] = rows_of.pop(strays[0])
                self._aliases[row["id"]] = deposit.id
                self.credited[row["id"]] = self._asked[deposit.id]
        place: dict[str, int] = {}
        for member in {deposit.member for deposit in made}:
            mine = [deposit for deposit in made if deposit.member == member and deposit.id in rows_of]
            ranks = sorted(deposit.position for deposit in mine)
            mine.sort(key=lambda deposit: (rows_of[deposit.id]["credited_at"], rows_of[deposit.id]["id"]))
            place |= {deposit.id: rank for deposit, rank in zip(mine, ranks, strict=True)}
        deposits = (replace(d, position=place.get(d.id, d.position)) for d in self.state.deposits)
        self.state = replace(self.state, deposits=tuple(deposits))

    def _learn_credits(self, step: list[Done], before: snapshot.Snapshot, found: snapshot.Snapshot) -> None:
        """Find the deposits that credits have made or topped up, where another target's answers do not say."""
        if self.bench.contract.reference:
            return
        held = {row["id"]: row["deposit_remaining"] for row in before.deposits}
        for done in [done for done in step if done.call.operation is Operation.CREDIT]:
            mine = {r["id"]: r["deposit_remaining"] for r in found.deposits if r["user_id"] == done.call.member}
            added = {name: left - held.get(name, 0) for name, left in mine.items()}
            if len(step) == 1 and self._learn_growth(done, added, held.keys()):
                continue
            fresh = [name for name in mine if name not in self.credited]
            if not added.keys() - held.keys() and not fresh:
                self._learn_top_up(done, added, alone=len(step) == 1)
                continue
            if done.reply.outcome is not Outcome.ACCEPTED:
                continue
            if not done.says("deposit_id") and fresh:
                self._aliases[fresh[0]] = done.call.creates
                self.credited[fresh.pop(0)] = done.call.classes
            for deposit_id in fresh[: done.unseen]:  # it was credited again with each try
                self.credited[deposit_id] = done.call.classes

    def _learn_growth(self, done: Done, added: dict[str, int], old: Collection[str]) -> bool:
        """Note where a credit's classes have gone, when they are as many as its tries can have brought."""
        least = 1 if done.reply.outcome is Outcome.ACCEPTED else 0
        most = done.unseen + (done.reply.outcome is not Outcome.REFUSED)
        if sum(added.values()) not in [done.call.classes * times for times in range(least, most + 1)]:
            return False
        for name, more in added.items():
            self.credited[name] = more + (self.credited.get(name, 0) if name in old else 0)
            if name not in old and not done.says("deposit_id"):
                self._aliases[name] = done.call.creates
        return True

    def _learn_top_up(self, done: Done, added: dict[str, int], *, alone: bool) -> None:
        """Note that classes were paid for which a deposit has got that was there already."""
        grown = [name for name, more in added.items() if more > 0] or list(added)
        classes = done.call.classes if done.reply.outcome is Outcome.ACCEPTED else 0
        if not grown or (done.reply.outcome is Outcome.REFUSED and not done.unseen):
            return
        if alone and added[grown[0]] in [done.call.classes * times for times in range(1, done.unseen + 2)]:
            classes = added[grown[0]]  # each of its tries may have acted, or none
        self.credited[grown[0]] = self.credited.get(grown[0], 0) + classes

    # --- judgement ----------------------------------------------------------------------------------------

    def gained(self) -> int:
        """Count the classes that the last step has put into the member's deposits."""
        member = self.people["member"].user_id
        before, after = (
            sum(row["deposit_remaining"] for row in one.deposits if row["user_id"] == member)
            for one in self.snapshots[-1]
        )
        return after - before

    def clear_up(self) -> None:
        """Do what the faults have left to do."""
        while self.aftermath:
            self.aftermath.pop(0)()

    def snapshot(self) -> snapshot.Snapshot:
        """Read the case's rows now."""
        self.insert()
        bench = self.bench
        users, slots = self._user_ids(), self.slots.values()
        return snapshot.take(bench.connection, bench.catalogue, users, slots, self.trace_id, bench.contract)

    def _user_ids(self) -> list[str]:
        return [person.user_id for person in self.people.values() if person.user_id]

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
            self._learn_credits(step, before, after)
            try:
                state = self._explain(step, after)
                explained = state is not None
            except orders.SearchLimitError:
                explained = None
        self.explained = explained
        if explained is None and not self.bench.contract.reference:
            # Each try of a call may have acted there: what must always hold is judged, and the case goes on from the
            # rows, as after a crash.
            self.doubt = "each try of a call may have acted, which gives too many orders to judge"
            state, explained = orders.state_of(self.state, after), True
        self.changed = before.rows() != after.rows()
        self.snapshots.append((before, after))
        if state is not None:
            step[-1].happened = state != self.state
            self.state = state
            self._learn_from_rows(after)
        breaches = invariants.check(self._facts(before, explained))
        self._keep(breaches)
        broken = {breach.invariant for breach in breaches}
        checks = {name: name not in broken for name in invariants.CHECKS}
        for done in step:
            record = log_record(done, self.test_id, self.seed, self.trace_id, len(self.steps), checks)
            self.bench.evidence.log({"env": self.bench.target.environment.name, **record})

    def _keep(self, breaches: list[Breach]) -> None:
        """Keep what broke and is not known yet."""
        for breach in breaches:
            if breach not in self.breaches:
                self.breaches.append(breach)
                self.broken_in[breach] = len(self.steps)

    def _explain(self, step: list[Done], after: snapshot.Snapshot) -> State | None:
        """Find an order of the calls of a step that gives the answers and the rows.

        Our studio must do as the model does. Another one may choose some rules otherwise; then what a scenario expects
        of it is in doubt, and what must always hold is not.
        """
        # A call sent twice at once is one call; a repetition of an earlier step acts if that one did not.
        alone = [d for d in step if not any(d.repeats is other for other in step)]
        contract = self.bench.contract

        def agrees(state: State) -> bool:
            return orders.agrees(state, after, self._aliases)

        if contract.reference:
            return orders.explain(self.state, seen_of(step), agrees)
        calls = [one for done in alone for one in self._deliveries(done)]
        if len(calls) > len(alone):
            self.doubt = "the target keeps no idempotency keys, so a request that is tried again acts again"
        state = orders.explain(self.state, calls, agrees)
        if state is None and contract.policies:
            state = orders.explain(self.state, calls, agrees, contract.policies)
            if state is not None:
                asked = " and ".join(dict.fromkeys(str(done.call.operation) for done in alone))
                answers = "; ".join(done.reply.described() for done in alone)
                self.doubt = f"the target's rules for {asked} are its own ({answers}); see `policies`"
        return state

    def _deliveries(self, done: Done) -> list[orders.Seen]:
        """List what reached a target of one request: without idempotency keys each try is a call of its own."""
        last = seen(done)
        if sum(1 for deposit in self.state.deposits if deposit.member == done.call.member) > 1:
            last = replace(last, remaining=None)  # it may speak of one deposit or of all
        if self.bench.contract.idempotent:
            return [last]
        unseen = [replace(done.call, creates=f"{done.call.creates}-{n}") for n in range(done.unseen)]
        return [*(orders.Seen(call, Outcome.UNKNOWN) for call in unseen), last]

    def _count_unseen(self, done: Done) -> int:
        """Count the tries before the last one that may each have acted."""
        if self.bench.contract.idempotent:
            return 0
        tries = [one for one in done.reply.attempts if one not in set(NEVER_REACHED_THE_SERVER)]
        return max(0, len(tries) + tries.count(Fault.TWICE) - 1)

    def _facts(self, before: snapshot.Snapshot, explained: bool | None, views: list[View] | None = None) -> Facts:
        after = self.last or before
        given = frozenset(row["id"] for table, row in self.made if table == "pilates_bookings")
        facts = Facts(before, after, self.steps, self.credited, self.names, self.peak, explained, views or [], given)
        facts.crashes = self.crashes
        facts.reference = self.bench.contract.reference
        return facts

    def expect(self, holds: bool, sentence: str) -> None:
        """Raise what broke and was not raised yet, with a scenario's own expectation where that does not hold.

        Raises:
            BrokenPromise: names every breach, the case, its seed and trace, and how to run it again.
        """
        news = self.breaches[self._raised :]
        if holds and not news:
            return
        if self.doubt and not news:
            raise NotProven(f"not proven: {self.doubt}. Here: {sentence}")
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
        contract = self.bench.contract
        looks = [(member, table, True, of_member) for table in ("pilates_bookings", "pilates_deposits")]
        desk = [role for role in ("admin", "secretary") if contract.reference or role in contract.roles]
        if desk:
            staff = replace(self.bench.staff(desk[0]), name="the front desk")
            looks += [(staff, table, True, of_member) for table in sorted(contract.staff_sees)]
        outsider = self.random.choice((stranger, visitor)) if member.role == "user" else visitor
        looks += [(outsider, t, False, of_member) for t in ("pilates_bookings", "pilates_deposits")]
        if self.slots and contract.occupancy == "view":
            looks.append((member, rows.OCCUPANCY, True, of_slots))
        views = [self._view(*look) for look in looks]
        breaches = invariants.check(self._facts(self._before(), True, views), "I8")
        self._keep(breaches)

    # --- the calendar -------------------------------------------------------------------------------------

    def calendar_entries(self) -> list[calendar.Entry]:
        """Read what the calendars of the case's members show now.

        Raises:
            NotProven: when the target has no calendar that we could read.
        """
        if not self.bench.target.calendar_url:
            raise NotProven("not proven: the target has no calendar server that the suite can read.")
        self.looked_at_calendar = True
        return calendar.read(self.bench.target.calendar_url, self._user_ids())

    def await_calendar(self) -> None:
        """Wait until the calendar shows what is booked, and keep what it still got wrong as a breach of I10."""
        before = self._before()
        given = frozenset(row["id"] for table, row in self.made if table == "pilates_bookings")
        for last in calendar.deadline():
            settled = calendar.is_settled(self.last or before)
            entries = self.calendar_entries()
            self.last = self.snapshot()
            wrong = tuple(calendar.differences(self.last, entries, given, self.bench.target.environment.zone))
            if last or settled or not wrong:
                break
        breaches = invariants.check(replace(self._facts(before, True), calendar=wrong), "I10")
        self._keep(breaches)

    def read(self, request: Request) -> Any:
        """Read through the API; None when the studio refuses."""
        reply = self._send(self.bench.session, request)
        return reply.body if reply.outcome is Outcome.ACCEPTED else None

    def _view(self, caller: Caller, table: str, sees: bool, condition: dict[str, str]) -> View:
        params = {**condition, "select": ",".join(invariants.SHOWN[table])}
        name = "the member" if caller.name == "member" else caller.name
        shown = self.read(Request("GET", f"/{table}", caller, params=params))
        if isinstance(shown, list):
            shown = self.bench.contract.in_our_words(table, shown)
        return View(name, table, sees, shown)

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
                missing = self.not_exercised()
                if missing and not self.bench.contract.reference and not self.breaches and not self.complaints:
                    words = f"the call did not pass there on this target: {', '.join(missing)}"
                    raise NotProven(f"not proven: planned, but it never took place; {words}.")
                self.expect(not missing, f"not exercised: planned, but it never took place: {', '.join(missing)}.")
        finally:
            self._write_snapshots()
            if self.complaints:
                failure.write(self)
            users = self._user_ids()
            if self._expiry_alone:
                with self.bench.connection.cursor() as cursor:
                    cursor.execute("select pg_advisory_unlock(%s, 0)", (EXPIRY_LOCK,))
            rows.remove_case(self.bench.connection, self.bench.catalogue, users, self.slots.values())
            if self.looked_at_calendar:
                # Without rows nothing more is delivered. Elsewhere entries may stay: the embedded calendar is thrown
                # away with its studio, and no id is used twice.
                calendar.remove(self.bench.target.calendar_url, users)
            self.bench.evidence.flush()

    def not_exercised(self) -> list[str]:
        """Enter into the ledger what was planned to disturb the case, and return what of it never took place."""
        of_network = self.network.not_exercised(self.bench.session)
        courses = self.courses.values()
        missing = of_network + [what for course in courses for what in course.not_exercised()]
        missing += [f"{action} at {point}" for point, action, _ in self.faults]
        missing += list((Counter(self.kills_planned) - Counter(self.kills_seen)).elements())
        planned = {
            "crash": self.kills_planned,
            "network": [str(one["fault"]) for one in self.network.planned if one["leg"] == "api"],
            "calendar": [f"{one['fault']} (calendar)" for one in self.network.planned if one["leg"] == "calendar"],
            "database": [what for course in courses for what in course.planned if " meets " in what],
            "order": [what for course in courses for what in course.planned if " waits at " in what],
        }
        if any(planned.values()) or missing:
            self.bench.evidence.enter(self.test_id, planned, missing)
        return missing

    def _write_snapshots(self) -> None:
        if self.first is not None and self.last is not None:
            self.bench.evidence.snapshot(f"{self.test_id}-before", self.first)
            self.bench.evidence.snapshot(f"{self.test_id}-after", self.last)
