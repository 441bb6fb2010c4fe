"""What other studios may do otherwise than ours, without losing or giving away a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum

from acceptance.model import OF_THE_SCHEDULE, Answer, Call, Operation, Refusal, State, Status
from acceptance.rules import apply, book_from, give_back, permitted


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

    @property
    def words(self) -> tuple[str, str]:
        """The words of ``data/environments.yaml``: our studio's, and the other one."""
        late = ("refused", "accepted")
        return {
            Policy.CANCEL_AFTER_START: late,
            Policy.DEPOSIT_CHARGED: ("first to end", "any"),
            Policy.CREDIT: ("new deposit", "top up"),
            Policy.CALL_OFF: late,
        }.get(self, ("accepted", "refused"))

    def choice(self, word: str) -> Choice:
        """Turn a word of ``data/environments.yaml`` into a choice."""
        return Choice.EITHER if word == Choice.EITHER else Choice.OURS if word == self.words[0] else Choice.OTHER

    def said(self, choice: Choice) -> str:
        """Say a choice as ``data/environments.yaml`` does."""
        return f"{self}: {self.words[choice is not Choice.OURS]}"


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
        if policy is Policy.STAFF_ACT and choice is Choice.OTHER:
            more = [one for one in more if not one[1].accepted]
        if more and choice is Choice.OTHER and ours in found and policy is not Policy.DEPOSIT_CHARGED:
            found.remove(ours)
        found += more
    return found


def _cancel_again(state: State, call: Call, _ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    if call.operation not in (Operation.CANCEL, Operation.ADMIN_REMOVE) or booking is None:
        return []
    over = booking.status is not Status.CONFIRMED and permitted(call, booking.member)
    # Many say "not found" of a booking that they do not find among those that stand.
    reasons = (Refusal.NOT_CONFIRMED, Refusal.UNKNOWN_BOOKING, Refusal.PAST)
    return [(state, Answer.refused(*reasons))] if over else []


def _confirm_again(state: State, call: Call, ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    again = call.operation is Operation.CONFIRM and booking is not None and booking.status is not Status.CONFIRMED
    refused = Answer.refused(Refusal.NOT_CONFIRMED, Refusal.UNKNOWN_BOOKING)
    return [(state, refused)] if again and Refusal.NOT_ALLOWED not in ours.refusals else []


def _cancel_after_start(state: State, call: Call, ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    late = call.operation is Operation.CANCEL and not ours.accepted and ours.refusals == {Refusal.PAST}
    return [give_back(state, booking)] if late and booking is not None else []


def _remove_after_start(state: State, call: Call, ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    slot = state.slot(booking.slot) if booking else None
    late = call.operation in (Operation.ADMIN_REMOVE, Operation.CONFIRM) and slot is not None and slot.started
    return [(state, Answer.refused(Refusal.PAST))] if late and ours.accepted else []


def _staff_act(state: State, call: Call, ours: Answer) -> list[Outcome]:
    booking = state.booking(call.booking)
    owner = booking.member if booking else call.member
    if call.operation in OF_THE_SCHEDULE or call.caller == owner or call.role not in _STAFF:
        return []
    refused = (state, Answer.refused(Refusal.NOT_ALLOWED, Refusal.UNKNOWN_BOOKING, *ours.refusals))
    return [refused, apply(state, replace(call, role="service"))]


def _members_confirm(state: State, call: Call, ours: Answer) -> list[Outcome]:
    own = call.operation is Operation.CONFIRM and call.role not in _STAFF and Refusal.NOT_ALLOWED not in ours.refusals
    return [(state, Answer.refused(Refusal.NOT_ALLOWED, *ours.refusals))] if own else []


def _deposit_charged(state: State, call: Call, ours: Answer) -> list[Outcome]:
    """Charge any usable deposit, and give back to any of the member's: conserved all the same."""
    if not ours.accepted:
        return []
    if call.operation is Operation.BOOK:
        return [book_from(state, call, d) for d in state.deposits if d.member == call.member and d.usable]
    booking = state.booking(call.booking)
    if booking is None or not ours.given_back:
        return []
    mine = [d for d in state.deposits if d.member == booking.member]
    return [give_back(state, replace(booking, deposit=one.id)) for one in mine if one.id != booking.deposit]


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
        state, _ = give_back(state, booking)
    return [(state.without_slot(slot.id), Answer(accepted=True))]


def _overlap(state: State, call: Call, ours: Answer) -> list[Outcome]:
    """Refuse a booking of somebody who has another one at the same time."""
    slot, moved = state.slot(call.slot), state.booking(call.booking)
    if call.operation not in (Operation.BOOK, Operation.RESCHEDULE) or slot is None or not ours.accepted:
        return []
    member = moved.member if call.operation is Operation.RESCHEDULE and moved else call.member
    theirs = [b for b in state.bookings if (b.member, b.status) == (member, Status.CONFIRMED)]
    others = [state.slot(b.slot) for b in theirs if call.operation is Operation.BOOK or b is not moved]
    clash = any(other is not None and slot.overlaps(other) for other in others)
    return [(state, Answer.refused(*Refusal))] if clash else []


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
