"""A small sequential model of a studio's rules: what one call after another must do.

The generator asks it what to expect, the checks ask it which order of concurrent calls explains what
was seen. It is pure: a state and a call go in, a new state and an answer come out. The rules are those of
the design, section 4; who may ask for what stands in ``data/access.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from acceptance import access
from acceptance.times import LENGTH


class Operation(StrEnum):
    """What a caller can ask of the studio."""

    BOOK = "book"
    CANCEL = "cancel"
    RESCHEDULE = "reschedule"
    ADMIN_REMOVE = "admin_remove"
    CONFIRM = "confirm_attendance"
    CREDIT = "credit"
    EXPIRE = "expire"
    SWITCH_OFF = "switch_off"
    RESIZE = "resize"
    CALL_OFF = "call_off"


class Refusal(StrEnum):
    """Why a studio refuses, in the words a scenario uses after "because"."""

    NOT_ALLOWED = "the caller is not allowed to"
    UNKNOWN_CLASS = "the class does not exist"
    INACTIVE = "the class is not offered"
    PAST = "the class has started"
    ALREADY_BOOKED = "the member has booked it already"
    FULL = "the class is full"
    NO_CLASSES = "no classes are left"
    UNKNOWN_BOOKING = "the booking does not exist"
    NOT_CONFIRMED = "the booking does not stand"
    HAS_BOOKINGS = "the class is booked"
    INVALID = "the request makes no sense"


class Status(StrEnum):
    """The states of a booking row."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


# The statuses of a booking that a class was paid for.
STANDING = frozenset({Status.CONFIRMED, Status.COMPLETED, Status.NO_SHOW})
# What a booking is once such a call was accepted.
BECOMES = {
    Operation.BOOK: Status.CONFIRMED,
    Operation.CANCEL: Status.CANCELLED,
    Operation.ADMIN_REMOVE: Status.CANCELLED,
    Operation.CONFIRM: Status.COMPLETED,
}


class Choice(StrEnum):
    """How a target may answer where a studio's rules are its own affair."""

    OURS = "ours"
    OTHER = "other"
    EITHER = "either"


class Policy(StrEnum):
    """A rule that a studio may choose otherwise than ours, without losing or giving away a class."""

    CANCEL_AGAIN = "cancel_again"
    CONFIRM_AGAIN = "confirm_again"
    CANCEL_AFTER_START = "cancel_after_start"
    REMOVE_AFTER_START = "remove_after_start"
    STAFF_ACT = "staff_act_for_members"
    MEMBERS_CONFIRM = "members_confirm"
    DEPOSIT_CHARGED = "deposit_charged"
    CREDIT = "credit"
    CALL_OFF = "class_with_bookings_deleted"
    OVERLAP = "overlapping_classes"

    def choice(self, word: str) -> Choice:
        """Turn a word of ``data/environments.yaml`` into a choice; our studio's word comes first."""
        ours = {
            Policy.CANCEL_AFTER_START: "refused",
            Policy.DEPOSIT_CHARGED: "first to end",
            Policy.CREDIT: "new deposit",
            Policy.CALL_OFF: "refused",
        }.get(self, "accepted")
        return Choice.EITHER if word == Choice.EITHER else Choice.OURS if word == ours else Choice.OTHER


# What the studio does in its schedule: it changes the class's row, by no function of its own.
OF_THE_SCHEDULE = frozenset({Operation.SWITCH_OFF, Operation.RESIZE, Operation.CALL_OFF})


@dataclass(frozen=True)
class Deposit:
    """Classes a member has paid for. ``position`` is its rank in the order of charging."""

    id: str
    member: str
    remaining: int
    active: bool = True
    expired: bool = False
    position: int = 0

    @property
    def usable(self) -> bool:
        """Whether a class can be booked from it."""
        return self.active and not self.expired and self.remaining > 0


@dataclass(frozen=True)
class Slot:
    """One class in the schedule. ``started`` is true once its start lies in the past.

    ``begins`` is its start in seconds from any one moment, where it matters which classes are at the same time.
    """

    id: str
    capacity: int
    active: bool = True
    started: bool = False
    begins: float | None = None

    def overlaps(self, other: Slot) -> bool:
        """Tell whether nobody can be in both from beginning to end."""
        known = self.id != other.id and self.begins is not None and other.begins is not None
        return known and abs((self.begins or 0) - (other.begins or 0)) < LENGTH.total_seconds()


@dataclass(frozen=True)
class Booking:
    """One booking row; ``id`` is the name its call gave it."""

    id: str
    member: str
    slot: str
    deposit: str
    status: Status = Status.CONFIRMED


@dataclass(frozen=True)
class State:
    """Everything the rules look at; hashable, so that searches can remember where they were."""

    deposits: tuple[Deposit, ...] = ()
    slots: tuple[Slot, ...] = ()
    bookings: tuple[Booking, ...] = ()

    def slot(self, name: str) -> Slot | None:
        """Return the slot of that name, or None."""
        return next((slot for slot in self.slots if slot.id == name), None)

    def deposit(self, name: str) -> Deposit:
        """Return the deposit of that name; raises StopIteration where there is none."""
        return next(deposit for deposit in self.deposits if deposit.id == name)

    def booking(self, name: str) -> Booking | None:
        """Return the booking of that name, or None."""
        return next((booking for booking in self.bookings if booking.id == name), None)

    def taken(self, slot: str) -> int:
        """Count the confirmed bookings of a slot."""
        return sum(1 for b in self.bookings if b.slot == slot and b.status is Status.CONFIRMED)

    def left(self, member: str) -> int:
        """Count the classes left on all deposits of a member, usable or not."""
        return sum(deposit.remaining for deposit in self.deposits if deposit.member == member)

    def standing(self, member: str, slot: str) -> Booking | None:
        """Return the member's confirmed booking of the slot, or None."""
        wanted = (member, slot, Status.CONFIRMED)
        return next((b for b in self.bookings if (b.member, b.slot, b.status) == wanted), None)

    def with_deposit(self, changed: Deposit) -> State:
        """Return this state with the deposit of the same name replaced."""
        return replace(self, deposits=tuple(changed if d.id == changed.id else d for d in self.deposits))

    def with_slot(self, changed: Slot) -> State:
        """Return this state with the slot of the same name replaced."""
        return replace(self, slots=tuple(changed if s.id == changed.id else s for s in self.slots))

    def with_booking(self, changed: Booking) -> State:
        """Return this state with the booking of the same name replaced."""
        return replace(self, bookings=tuple(changed if b.id == changed.id else b for b in self.bookings))


@dataclass(frozen=True)
class Call:
    """One request. ``creates`` names the booking or deposit that it makes when it is accepted."""

    operation: Operation
    caller: str
    role: str = "user"
    member: str = ""
    slot: str = ""
    booking: str = ""
    creates: str = ""
    classes: int = 0
    places: int = 0


@dataclass(frozen=True)
class Answer:
    """What the studio answers. A refused call carries every reason that applies: the order of checks is free.

    ``remaining`` is what the charged deposit holds afterwards, ``given_back`` the classes a cancellation
    returned, ``affected`` the deposits an expiry run switched off.
    """

    accepted: bool
    refusals: frozenset[Refusal] = field(default=frozenset())
    remaining: int | None = None
    given_back: int | None = None
    affected: int | None = None


def _refused(*reasons: Refusal) -> Answer:
    return Answer(accepted=False, refusals=frozenset(reasons))


def _permitted(call: Call, owner: str) -> bool:
    return access.permits(call.operation, call.role, own=call.caller == owner)


def _slot_refusals(state: State, slot: Slot, member: str) -> set[Refusal]:
    """Collect the reasons why a member cannot be put into a slot, whatever is in the deposit."""
    reasons = set()
    if not slot.active:
        reasons.add(Refusal.INACTIVE)
    if slot.started:
        reasons.add(Refusal.PAST)
    if state.standing(member, slot.id):
        reasons.add(Refusal.ALREADY_BOOKED)
    if state.taken(slot.id) >= slot.capacity:
        reasons.add(Refusal.FULL)
    return reasons


def _book(state: State, call: Call) -> tuple[State, Answer]:
    slot = state.slot(call.slot)
    if slot is None:
        return state, _refused(Refusal.UNKNOWN_CLASS)
    usable = sorted(
        (d for d in state.deposits if d.member == call.member and d.usable), key=lambda d: (d.position, d.id)
    )
    reasons = _slot_refusals(state, slot, call.member)
    if not usable:
        reasons.add(Refusal.NO_CLASSES)
    if reasons:
        return state, _refused(*reasons)
    charged = replace(usable[0], remaining=usable[0].remaining - 1)
    booking = Booking(call.creates, call.member, call.slot, charged.id)
    state = replace(state.with_deposit(charged), bookings=(*state.bookings, booking))
    return state, Answer(accepted=True, remaining=charged.remaining)


def _give_back(state: State, booking: Booking) -> tuple[State, Answer]:
    """Cancel a standing booking: the class returns to the deposit it came from, usable or not."""
    deposit = state.deposit(booking.deposit)
    state = state.with_booking(replace(booking, status=Status.CANCELLED))
    state = state.with_deposit(replace(deposit, remaining=deposit.remaining + 1))
    return state, Answer(accepted=True, given_back=1)


def _cancel(state: State, call: Call, booking: Booking) -> tuple[State, Answer]:
    if booking.status is Status.CANCELLED:
        return state, Answer(accepted=True, given_back=0)
    reasons = set()
    if booking.status is not Status.CONFIRMED:
        reasons.add(Refusal.NOT_CONFIRMED)
    slot = state.slot(booking.slot)
    # A member may not give a class back once it has begun; the front desk may (it has its reasons).
    if slot is not None and slot.started and call.operation is Operation.CANCEL:
        reasons.add(Refusal.PAST)
    return (state, _refused(*reasons)) if reasons else _give_back(state, booking)


def _reschedule(state: State, call: Call, booking: Booking) -> tuple[State, Answer]:
    if booking.status is not Status.CONFIRMED:
        return state, _refused(Refusal.NOT_CONFIRMED)
    target = state.slot(call.slot)
    if target is None:
        return state, _refused(Refusal.UNKNOWN_CLASS)
    reasons = _slot_refusals(state, target, booking.member)
    source = state.slot(booking.slot)
    if source is not None and source.started:
        reasons.add(Refusal.PAST)
    if reasons:
        return state, _refused(*reasons)
    moved = Booking(call.creates, booking.member, call.slot, booking.deposit)
    state = state.with_booking(replace(booking, status=Status.CANCELLED))
    state = replace(state, bookings=(*state.bookings, moved))
    return state, Answer(accepted=True, remaining=state.deposit(booking.deposit).remaining)


def _confirm(state: State, booking: Booking) -> tuple[State, Answer]:
    if booking.status is Status.COMPLETED:
        return state, Answer(accepted=True)
    if booking.status is not Status.CONFIRMED:
        return state, _refused(Refusal.NOT_CONFIRMED)
    return state.with_booking(replace(booking, status=Status.COMPLETED)), Answer(accepted=True)


def _credit(state: State, call: Call) -> tuple[State, Answer]:
    if call.classes <= 0:
        return state, _refused(Refusal.INVALID)
    position = max((d.position for d in state.deposits if d.member == call.member), default=0) + 1
    deposit = Deposit(call.creates, call.member, call.classes, position=position)
    return replace(state, deposits=(*state.deposits, deposit)), Answer(accepted=True, remaining=call.classes)


def _expire(state: State) -> tuple[State, Answer]:
    due = [d for d in state.deposits if d.expired and d.active]
    for deposit in due:
        state = state.with_deposit(replace(deposit, active=False))
    return state, Answer(accepted=True, affected=len(due))


def _change_schedule(state: State, call: Call) -> tuple[State, Answer]:
    """Switch a class off or give it other places: bookings stay, also where there are more than places.

    A class that anybody has ever booked is not deleted: it could not be told any more what was paid for.
    """
    slot = state.slot(call.slot)
    if slot is None:
        return state, _refused(Refusal.UNKNOWN_CLASS)
    if call.operation is Operation.CALL_OFF:
        if any(booking.slot == slot.id for booking in state.bookings):
            return state, _refused(Refusal.HAS_BOOKINGS)
        return _without(state, slot), Answer(accepted=True)
    off = call.operation is Operation.SWITCH_OFF
    changed = replace(slot, active=False) if off else replace(slot, capacity=call.places)
    return state.with_slot(changed), Answer(accepted=True)


def _without(state: State, slot: Slot) -> State:
    return replace(state, slots=tuple(other for other in state.slots if other.id != slot.id))


def apply(state: State, call: Call) -> tuple[State, Answer]:
    """Let the studio answer one call.

    Args:
        state: what stands before the call.
        call: who asks for what.

    Returns:
        The state afterwards (the same object's value when refused) and the answer.
    """
    if call.operation in OF_THE_SCHEDULE:
        return _change_schedule(state, call)
    if call.operation in (Operation.BOOK, Operation.CREDIT, Operation.EXPIRE):
        if not _permitted(call, call.member):
            return state, _refused(Refusal.NOT_ALLOWED)
        if call.operation is Operation.BOOK:
            return _book(state, call)
        return _credit(state, call) if call.operation is Operation.CREDIT else _expire(state)
    booking = state.booking(call.booking)
    if booking is None:
        stranger = () if _permitted(call, call.member) else (Refusal.NOT_ALLOWED,)
        return state, _refused(Refusal.UNKNOWN_BOOKING, *stranger)
    if not _permitted(call, booking.member):
        # A studio may hide a stranger's booking altogether instead of naming the lack of permission.
        return state, _refused(Refusal.NOT_ALLOWED, Refusal.UNKNOWN_BOOKING)
    if call.operation is Operation.RESCHEDULE:
        return _reschedule(state, call, booking)
    if call.operation is Operation.CONFIRM:
        return _confirm(state, booking)
    return _cancel(state, call, booking)


Outcome = tuple[State, Answer]


def outcomes(state: State, call: Call, policies: Mapping[Policy, Choice]) -> list[Outcome]:
    """List what a studio with these policies may do with one call, our own studio's way first where it is allowed.

    Args:
        state: what stands before the call.
        call: who asks for what.
        policies: what is said of the studio; what is not said is as in ours.
    """
    ours = apply(state, call)
    found = [ours]
    if not policies:
        return found
    for policy, others in _OTHERWISE.items():
        choice = policies.get(policy, Choice.OURS)
        if choice is Choice.OURS:
            continue
        more = others(state, call, ours[1])
        if more and choice is Choice.OTHER and ours in found and policy is not Policy.DEPOSIT_CHARGED:
            found.remove(ours)
        found += more
    return found


def _cancel_again(state: State, call: Call, _ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    if call.operation not in (Operation.CANCEL, Operation.ADMIN_REMOVE) or booking is None:
        return []
    over = booking.status is not Status.CONFIRMED and _permitted(call, booking.member)
    # Many say "not found" of a booking that they do not find among those that stand.
    reasons = (Refusal.NOT_CONFIRMED, Refusal.UNKNOWN_BOOKING, Refusal.PAST)
    return [(state, _refused(*reasons))] if over else []


def _confirm_again(state: State, call: Call, ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    again = call.operation is Operation.CONFIRM and booking is not None and booking.status is not Status.CONFIRMED
    refused = _refused(Refusal.NOT_CONFIRMED, Refusal.UNKNOWN_BOOKING)
    return [(state, refused)] if again and Refusal.NOT_ALLOWED not in ours.refusals else []


def _cancel_after_start(state: State, call: Call, ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    late = call.operation is Operation.CANCEL and not ours.accepted and ours.refusals == {Refusal.PAST}
    return [_give_back(state, booking)] if late and booking is not None else []


def _remove_after_start(state: State, call: Call, ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    slot = state.slot(booking.slot) if booking else None
    late = call.operation in (Operation.ADMIN_REMOVE, Operation.CONFIRM) and slot is not None and slot.started
    return [(state, _refused(Refusal.PAST))] if late and ours.accepted else []


def _staff_act(state: State, call: Call, ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    owner = booking.member if booking else call.member
    if call.operation in OF_THE_SCHEDULE or call.caller == owner or call.role not in _STAFF:
        return []
    refused = (state, _refused(Refusal.NOT_ALLOWED, Refusal.UNKNOWN_BOOKING, *ours.refusals))
    return [refused, apply(state, replace(call, role="service"))]


def _members_confirm(state: State, call: Call, ours: Answer) -> list[Outcome]:
    own = call.operation is Operation.CONFIRM and call.role not in _STAFF and Refusal.NOT_ALLOWED not in ours.refusals
    return [(state, _refused(Refusal.NOT_ALLOWED, *ours.refusals))] if own else []


def _deposit_charged(state: State, call: Call, ours: Answer) -> list[Outcome]:
    """Charge any usable deposit, and give back to any of the member's: conserved all the same."""
    if not ours.accepted:
        return []
    if call.operation is Operation.BOOK:
        return [_booked_from(state, call, d) for d in state.deposits if d.member == call.member and d.usable]
    booking = state.booking(call.booking)
    if booking is None or not ours.given_back:
        return []
    mine = [d for d in state.deposits if d.member == booking.member]
    return [_give_back(state, replace(booking, deposit=one.id)) for one in mine if one.id != booking.deposit]


def _credit_otherwise(state: State, call: Call, ours: Answer) -> list[Outcome]:
    """Put the classes into a deposit that the member has."""
    if call.operation is not Operation.CREDIT or not ours.accepted:
        return []
    mine = [deposit for deposit in state.deposits if deposit.member == call.member]
    return [(state.with_deposit(replace(d, remaining=d.remaining + call.classes)), Answer(accepted=True)) for d in mine]


def _called_off(state: State, call: Call, ours: Answer) -> list[Outcome]:
    """Delete a class with its bookings, and give back what was paid for those that stand."""
    slot = state.slot(call.slot)
    if call.operation is not Operation.CALL_OFF or ours.accepted or slot is None:
        return []
    for booking in [b for b in state.bookings if (b.slot, b.status) == (slot.id, Status.CONFIRMED)]:
        state, _ = _give_back(state, booking)
    return [(_without(state, slot), Answer(accepted=True))]


def _overlap(state: State, call: Call, ours: Answer) -> list[Outcome]:
    """Refuse a booking of somebody who has another one at the same time."""
    slot, moved = state.slot(call.slot), state.booking(call.booking)
    if call.operation not in (Operation.BOOK, Operation.RESCHEDULE) or slot is None or not ours.accepted:
        return []
    member = moved.member if call.operation is Operation.RESCHEDULE and moved else call.member
    theirs = [b for b in state.bookings if (b.member, b.status) == (member, Status.CONFIRMED)]
    others = [state.slot(b.slot) for b in theirs if call.operation is Operation.BOOK or b is not moved]
    clash = any(other is not None and slot.overlaps(other) for other in others)
    return [(state, _refused(*Refusal))] if clash else []


def _booked_from(state: State, call: Call, deposit: Deposit) -> Outcome:
    charged = replace(deposit, remaining=deposit.remaining - 1)
    booking = Booking(call.creates, call.member, call.slot, deposit.id)
    after = replace(state.with_deposit(charged), bookings=(*state.bookings, booking))
    return after, Answer(accepted=True, remaining=charged.remaining)


_STAFF = frozenset({"trainer", "secretary", "admin", "service"})
_OTHERWISE: dict[Policy, Callable[[State, Call, Answer], list[Outcome]]] = {
    Policy.CANCEL_AGAIN: _cancel_again,
    Policy.CONFIRM_AGAIN: _confirm_again,
    Policy.CANCEL_AFTER_START: _cancel_after_start,
    Policy.REMOVE_AFTER_START: _remove_after_start,
    Policy.STAFF_ACT: _staff_act,
    Policy.MEMBERS_CONFIRM: _members_confirm,
    Policy.DEPOSIT_CHARGED: _deposit_charged,
    Policy.CREDIT: _credit_otherwise,
    Policy.CALL_OFF: _called_off,
    Policy.OVERLAP: _overlap,
}
