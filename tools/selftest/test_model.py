"""The sequential model: an example for each rule, and properties over random programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acceptance.model import STANDING, Booking, Call, Deposit, Operation, Refusal, Slot, State, Status
from acceptance.rules import apply

ANNA = Deposit("paid", "anna", 2)
STATE = State((ANNA,), (Slot("ten", 1), Slot("noon", 1)))
BOOK = Call(Operation.BOOK, "anna", member="anna", slot="ten", creates="b")
BOOKED, _ = apply(STATE, BOOK)
CANCEL = Call(Operation.CANCEL, "anna", member="anna", booking="b")
MOVE = Call(Operation.RESCHEDULE, "anna", member="anna", booking="b", slot="noon", creates="c")
REMOVE = Call(Operation.ADMIN_REMOVE, "eve", "admin", member="anna", booking="b")
CONFIRM = Call(Operation.CONFIRM, "anna", member="anna", booking="b")
CREDIT = Call(Operation.CREDIT, "eve", "secretary", member="anna", classes=5, creates="more")
TAKEN = Booking("x", "bob", "ten", "his")


def slot(state: State, **changes: Any) -> State:
    return state.with_slot(replace(state.slots[0], **changes))


def deposit(**changes: Any) -> State:
    return STATE.with_deposit(replace(ANNA, **changes))


REFUSED = {
    "full": (replace(STATE, bookings=(TAKEN,)), BOOK, {Refusal.FULL}),
    "started": (slot(STATE, started=True), BOOK, {Refusal.PAST}),
    "not offered": (slot(STATE, active=False), BOOK, {Refusal.INACTIVE}),
    "booked already": (slot(BOOKED, capacity=2), BOOK, {Refusal.ALREADY_BOOKED}),
    "booked already and full": (BOOKED, BOOK, {Refusal.ALREADY_BOOKED, Refusal.FULL}),
    "empty deposit": (deposit(remaining=0), BOOK, {Refusal.NO_CLASSES}),
    "inactive deposit": (deposit(active=False), BOOK, {Refusal.NO_CLASSES}),
    "expired deposit": (deposit(expired=True), BOOK, {Refusal.NO_CLASSES}),
    "unknown class": (STATE, replace(BOOK, slot="never"), {Refusal.UNKNOWN_CLASS}),
    "somebody else's place": (STATE, replace(BOOK, caller="bob"), {Refusal.NOT_ALLOWED}),
    "a trainer may not book for others": (STATE, replace(BOOK, caller="tom", role="trainer"), {Refusal.NOT_ALLOWED}),
    "unknown booking": (STATE, CANCEL, {Refusal.UNKNOWN_BOOKING}),
    "a stranger cancels": (
        BOOKED,
        replace(CANCEL, caller="bob"),
        {Refusal.NOT_ALLOWED, Refusal.UNKNOWN_BOOKING},
    ),
    "cancel after the start": (slot(BOOKED, started=True), CANCEL, {Refusal.PAST}),
    "cancel what was attended": (apply(BOOKED, CONFIRM)[0], CANCEL, {Refusal.NOT_CONFIRMED}),
    "confirm what was cancelled": (apply(BOOKED, CANCEL)[0], CONFIRM, {Refusal.NOT_CONFIRMED}),
    "move to a full class": (
        replace(BOOKED, bookings=(*BOOKED.bookings, replace(TAKEN, slot="noon"))),
        MOVE,
        {Refusal.FULL},
    ),
    "a member removes": (
        BOOKED,
        replace(REMOVE, caller="anna", role="user"),
        {Refusal.NOT_ALLOWED, Refusal.UNKNOWN_BOOKING},
    ),
    "a member credits": (STATE, replace(CREDIT, caller="anna", role="user"), {Refusal.NOT_ALLOWED}),
    "credit nothing": (STATE, replace(CREDIT, classes=0), {Refusal.INVALID}),
}


@pytest.mark.parametrize(("state", "call", "reasons"), REFUSED.values(), ids=REFUSED.keys())
def test_a_call_is_refused_for_every_reason_that_applies(state: State, call: Call, reasons: set[Refusal]) -> None:
    after, answer = apply(state, call)
    assert (answer.accepted, answer.refusals, after) == (False, frozenset(reasons), state)


def test_a_booking_charges_one_class() -> None:
    after, answer = apply(STATE, BOOK)
    assert (answer.accepted, answer.remaining, after.taken("ten"), after.left("anna")) == (True, 1, 1, 1)


def test_the_deposit_first_in_order_is_charged_and_gets_the_class_back() -> None:
    state = State((replace(ANNA, position=2), Deposit("sooner", "anna", 1, position=1)), STATE.slots)
    booked, _ = apply(state, BOOK)
    assert booked.deposit("sooner").remaining == 0
    # Expired meanwhile: the class goes back there all the same.
    expired = booked.with_deposit(replace(booked.deposit("sooner"), expired=True))
    after, answer = apply(expired, CANCEL)
    assert (answer.given_back, after.deposit("sooner").remaining, after.deposit("paid").remaining) == (1, 1, 2)


def test_a_second_cancellation_gives_nothing_back() -> None:
    cancelled, first = apply(BOOKED, CANCEL)
    after, second = apply(cancelled, REMOVE)
    assert (first.given_back, second.accepted, second.given_back, after) == (1, True, 0, cancelled)


def test_the_front_desk_may_remove_after_the_start() -> None:
    _, answer = apply(slot(BOOKED, started=True), REMOVE)
    assert (answer.accepted, answer.given_back) == (True, 1)


def test_a_move_keeps_the_class_paid() -> None:
    after, answer = apply(BOOKED, MOVE)
    assert (answer.accepted, after.left("anna"), after.taken("ten"), after.taken("noon")) == (True, 1, 0, 1)


def test_a_credit_is_a_deposit_of_its_own() -> None:
    after, answer = apply(STATE, CREDIT)
    assert (answer.remaining, after.left("anna"), len(after.deposits)) == (5, 7, 2)


def test_expiry_switches_off_once() -> None:
    expire = Call(Operation.EXPIRE, "eve", "admin")
    once, first = apply(deposit(expired=True), expire)
    _, second = apply(once, expire)
    assert (first.affected, second.affected, once.deposits[0].active) == (1, 0, False)


def test_a_class_that_is_made_smaller_or_switched_off_keeps_its_bookings() -> None:
    state, _ = apply(deposit(), BOOK)
    for change, why in (
        (Call(Operation.RESIZE, "", "service", slot="ten", places=1), Refusal.FULL),
        (Call(Operation.SWITCH_OFF, "", "service", slot="ten"), Refusal.INACTIVE),
    ):
        after, answer = apply(state, change)
        assert (answer.accepted, after.bookings) == (True, state.bookings)
        _, refused = apply(after, replace(BOOK, caller="bob", member="bob", creates="d"))
        assert why in refused.refusals
    assert not apply(state, Call(Operation.RESIZE, "", "service", slot="none"))[1].accepted


calls = st.builds(
    Call,
    operation=st.sampled_from(Operation),
    caller=st.sampled_from(["anna", "bob", "eve"]),
    role=st.sampled_from(["user", "trainer", "secretary", "admin"]),
    member=st.sampled_from(["anna", "bob"]),
    slot=st.sampled_from(["ten", "noon"]),
    booking=st.integers(0, 11).map(str),
    classes=st.integers(-1, 3),
    places=st.integers(0, 2),
)


@given(program=st.lists(calls, max_size=12), left=st.integers(0, 3), capacity=st.integers(0, 2))
@settings(max_examples=300, deadline=None)
def test_no_program_loses_or_gives_away_a_class(program: list[Call], left: int, capacity: int) -> None:
    state = State(
        (Deposit("a", "anna", left), Deposit("b", "bob", 1)), (Slot("ten", capacity), Slot("noon", 1, started=False))
    )
    paid = {"anna": left, "bob": 1}
    peak = {"ten": capacity, "noon": 1}
    for number, call in enumerate(program):
        after, answer = apply(state, replace(call, creates=str(number)))
        if not answer.accepted:
            assert after == state
        elif call.operation is Operation.CREDIT:
            paid[call.member] += call.classes
        state = after
        for member, classes in paid.items():
            booked = sum(b.member == member and b.status in STANDING for b in state.bookings)
            assert state.left(member) + booked == classes
        assert all(d.remaining >= 0 for d in state.deposits)
        peak = {slot.id: max(peak[slot.id], slot.capacity) for slot in state.slots}
        assert all(state.taken(slot) <= places for slot, places in peak.items())
        if answer.accepted and call.operation is Operation.BOOK:
            assert state.taken(call.slot) <= next(s.capacity for s in state.slots if s.id == call.slot)
        confirmed = [(b.member, b.slot) for b in state.bookings if b.status is Status.CONFIRMED]
        assert len(confirmed) == len(set(confirmed))
