"""A small sequential model of a studio's rules: what one call after another must do.

The generator asks it what to expect, the checks ask it which order of concurrent calls explains what
was seen. It is pure: a state and a call go in, a new state and an answer come out. The rules are those of
the design, section 4; who may ask for what stands in ``data/access.yaml``, what a studio may choose otherwise
in ``policies``.
"""

from __future__ import annotations

from dataclasses import replace

from acceptance import access
from acceptance.model import OF_THE_SCHEDULE, Answer, Booking, Call, Deposit, Operation, Refusal, Slot, State, Status


def permitted(call: Call, owner: str) -> bool:
    """Tell whether a caller may have what is asked for done to somebody's bookings and deposits."""
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
        return state, Answer.refused(Refusal.UNKNOWN_CLASS)
    usable = sorted(
        (d for d in state.deposits if d.member == call.member and d.usable), key=lambda d: (d.position, d.id)
    )
    reasons = _slot_refusals(state, slot, call.member)
    if not usable:
        reasons.add(Refusal.NO_CLASSES)
    if reasons:
        return state, Answer.refused(*reasons)
    return book_from(state, call, usable[0])


def book_from(state: State, call: Call, deposit: Deposit) -> tuple[State, Answer]:
    """Take a class from a deposit for a booking that nothing speaks against."""
    charged = replace(deposit, remaining=deposit.remaining - 1)
    booking = Booking(call.creates, call.member, call.slot, charged.id)
    state = replace(state.with_deposit(charged), bookings=(*state.bookings, booking))
    return state, Answer(accepted=True, remaining=charged.remaining)


def give_back(state: State, booking: Booking) -> tuple[State, Answer]:
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
    return (state, Answer.refused(*reasons)) if reasons else give_back(state, booking)


def _reschedule(state: State, call: Call, booking: Booking) -> tuple[State, Answer]:
    if booking.status is not Status.CONFIRMED:
        return state, Answer.refused(Refusal.NOT_CONFIRMED)
    target = state.slot(call.slot)
    if target is None:
        return state, Answer.refused(Refusal.UNKNOWN_CLASS)
    reasons = _slot_refusals(state, target, booking.member)
    source = state.slot(booking.slot)
    if source is not None and source.started:
        reasons.add(Refusal.PAST)
    if reasons:
        return state, Answer.refused(*reasons)
    moved = Booking(call.creates, booking.member, call.slot, booking.deposit)
    state = state.with_booking(replace(booking, status=Status.CANCELLED))
    state = replace(state, bookings=(*state.bookings, moved))
    return state, Answer(accepted=True, remaining=state.deposit(booking.deposit).remaining)


def _confirm(state: State, booking: Booking) -> tuple[State, Answer]:
    if booking.status is Status.COMPLETED:
        return state, Answer(accepted=True)
    if booking.status is not Status.CONFIRMED:
        return state, Answer.refused(Refusal.NOT_CONFIRMED)
    return state.with_booking(replace(booking, status=Status.COMPLETED)), Answer(accepted=True)


def _credit(state: State, call: Call) -> tuple[State, Answer]:
    if call.classes <= 0:
        return state, Answer.refused(Refusal.INVALID)
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
        return state, Answer.refused(Refusal.UNKNOWN_CLASS)
    if call.operation is Operation.CALL_OFF:
        if any(booking.slot == slot.id for booking in state.bookings):
            return state, Answer.refused(Refusal.HAS_BOOKINGS)
        return state.without_slot(slot.id), Answer(accepted=True)
    off = call.operation is Operation.SWITCH_OFF
    changed = replace(slot, active=False) if off else replace(slot, capacity=call.places)
    return state.with_slot(changed), Answer(accepted=True)


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
        if not permitted(call, call.member):
            return state, Answer.refused(Refusal.NOT_ALLOWED)
        if call.operation is Operation.BOOK:
            return _book(state, call)
        return _credit(state, call) if call.operation is Operation.CREDIT else _expire(state)
    booking = state.booking(call.booking)
    if booking is None:
        stranger = () if permitted(call, call.member) else (Refusal.NOT_ALLOWED,)
        return state, Answer.refused(Refusal.UNKNOWN_BOOKING, *stranger)
    if not permitted(call, booking.member):
        # A studio may hide a stranger's booking altogether instead of naming the lack of permission.
        return state, Answer.refused(Refusal.NOT_ALLOWED, Refusal.UNKNOWN_BOOKING)
    if call.operation is Operation.RESCHEDULE:
        return _reschedule(state, call, booking)
    if call.operation is Operation.CONFIRM:
        return _confirm(state, booking)
    return _cancel(state, call, booking)
