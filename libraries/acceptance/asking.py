"""Makes the calls of a case: alone, several together, or again. How their requests go out stands in ``sending``."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from acceptance import needs, orders, snapshot
from acceptance.bench import Bench
from acceptance.client import Caller, Outcome
from acceptance.doubts import NEW_REQUEST, Doubts, Ground
from acceptance.errors import SuiteError
from acceptance.faults import NEVER_REACHED_THE_SERVER, Fault
from acceptance.history import Done, Planned, one_call
from acceptance.memory import NOBODY
from acceptance.model import OF_THE_SCHEDULE, Call, Operation, State
from acceptance.sending import Send, Sending

EXPIRY_LOCK = 0x0ACCE97C
CALLED = {"secretary": "front desk", "admin": "front desk"}


def actor_names(planned: Sequence[Planned]) -> list[str]:
    """Name the actors of a step as a schedule does: "member", "front desk", and "member 2" for a second call."""
    names = [CALLED.get(one.caller.name, one.caller.name) for one in planned]
    counts = [names[: position + 1].count(name) for position, name in enumerate(names)]
    return [name if count == 1 else f"{name} {count}" for name, count in zip(names, counts, strict=True)]


class Asking(Sending, ABC):
    """A case that asks the studio for things; what comes of them is judged by ``settle``."""

    def __init__(self, bench: Bench, test_id: str, seed: int, trace_id: str):
        super().__init__(bench, test_id, seed, trace_id)
        self.plan: list[Planned] | None = None
        self.delay = 0.0
        self.next_key: str | None = None
        self.doubts = Doubts()
        self.kills_planned: list[str] = []
        self._expiry_alone = False
        # What the studio did around the API, each with the number of steps there were before it.
        self.meanwhile: list[tuple[int, str]] = []

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
        self.meanwhile.append((len(self.steps), "end_deposit"))
        self.last = None

    def end_first_deposit(self, *, expire: bool) -> None:
        """Let a deposit end, and forget the rows read before."""
        super().end_first_deposit(expire=expire)
        self.meanwhile.append((len(self.steps), "end_deposit"))
        self.last = None

    def change_slot(self, *, when: str = "", active: bool = True, capacity: int = 0) -> None:
        """Change the class as a manager does, and forget the rows read before."""
        super().change_slot(when=when, active=active, capacity=capacity)
        acts = {"move_start": bool(when), Operation.SWITCH_OFF: not active, Operation.RESIZE: bool(capacity)}
        self.meanwhile += [(len(self.steps), str(act)) for act, done in acts.items() if done]
        self.last = None

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
        bodies: dict[Operation, dict[str, Any]] = {
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
        }
        meant = bodies[operation]
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
        self.doubt(f"the target's {operation} is several calls, and not all or nothing")
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
        self.doubt(NEW_REQUEST, Ground.NO_KEYS)
        call = replace(first.call, creates=f"made-{self.number()}")
        planned = Planned(call, first.caller, first.path, first.body, key, meant=first.meant)
        self._take_step([planned], actor_names([planned]))

    def doubt(self, reason: str, ground: Ground = Ground.LACK) -> None:
        """Note why what the scenario foretells of the next step may rightly not hold on this target."""
        self.doubts.add(reason, ground, len(self.steps) + 1)

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
                self.doubt(NEW_REQUEST, Ground.NO_KEYS)
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

    def have_expiry_alone(self) -> None:
        """Keep other cases from checking for expired deposits until this one ends: the check acts on everybody's."""
        if not self._expiry_alone:
            self._expiry_alone = True
            self.last = None  # what was read before may have been switched off by another case since
            with self.bench.connection.cursor() as cursor:
                cursor.execute("select pg_advisory_lock(%s, 0)", (EXPIRY_LOCK,))

    def _count_unseen(self, done: Done) -> int:
        """Count the tries before the last one that may each have acted."""
        if self.bench.contract.idempotent:
            return 0
        tries = [one for one in done.reply.attempts if one not in set(NEVER_REACHED_THE_SERVER)]
        return max(0, len(tries) + tries.count(Fault.TWICE) - 1)
