"""What the model of a studio speaks of: calls and their answers, and the state they meet; ``rules`` says what happens.

Everything is a value that never changes, so that searches can go back to where they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

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

    def without_slot(self, name: str) -> State:
        """Return this state without the slot of that name."""
        return replace(self, slots=tuple(slot for slot in self.slots if slot.id != name))

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

    @classmethod
    def refused(cls, *reasons: Refusal) -> Answer:
        """Return the answer that refuses a call."""
        return cls(accepted=False, refusals=frozenset(reasons))
