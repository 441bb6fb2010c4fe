"""The search for an explaining order: what two racing callers may be told, and what they may not."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from acceptance.client import Outcome
from acceptance.errors import SuiteError
from acceptance.model import Booking, Call, Deposit, Operation, Refusal, Slot, State, Status
from acceptance.orders import Seen, explain
from acceptance.times import start_of

STATE = State((Deposit("paid", "anna", 1),), (Slot("ten", 1),), ())
BOOKED = State((Deposit("paid", "anna", 0),), (Slot("ten", 1),), (Booking("b", "anna", "ten", "paid"),))
BOOK = Call(Operation.BOOK, "anna", member="anna", slot="ten", creates="b")
CANCEL = Call(Operation.CANCEL, "anna", member="anna", booking="b")


def accepted(call: Call, given_back: int | None = None) -> Seen:
    return Seen(call, Outcome.ACCEPTED, given_back=given_back)


def refused(call: Call, reason: Refusal) -> Seen:
    return Seen(call, Outcome.REFUSED, reason)


def test_one_of_two_bookings_is_explained() -> None:
    found = explain(STATE, [refused(BOOK, Refusal.FULL), accepted(BOOK)], lambda state: state.taken("ten") == 1)
    assert found == BOOKED


def test_two_accepted_bookings_of_the_last_place_are_not() -> None:
    assert explain(STATE, [accepted(BOOK), accepted(BOOK)], lambda state: True) is None


def test_two_cancellations_that_both_give_back_are_not() -> None:
    double = [accepted(CANCEL, 1), accepted(CANCEL, 1)]
    assert explain(BOOKED, double, lambda state: True) is None
    assert explain(BOOKED, [accepted(CANCEL, 0), accepted(CANCEL, 1)], lambda state: True) is not None


def test_a_refusal_for_a_wrong_reason_is_not() -> None:
    assert explain(STATE, [refused(BOOK, Refusal.PAST)], lambda state: True) is None


def test_rows_that_differ_are_not_explained() -> None:
    assert explain(STATE, [accepted(BOOK)], lambda state: state.taken("ten") == 0) is None


@pytest.mark.parametrize("taken", [0, 1])
def test_an_unknown_outcome_is_one_of_the_two(taken: int) -> None:
    found = explain(STATE, [Seen(BOOK, Outcome.UNKNOWN)], lambda state: state.taken("ten") == taken)
    assert found is not None


def test_fifty_members_for_four_places_are_judged_quickly() -> None:
    members = [f"m{n}" for n in range(50)]
    state = State(tuple(Deposit(f"d{m}", m, 1) for m in members), (Slot("ten", 4),))
    calls = [Call(Operation.BOOK, m, member=m, slot="ten", creates=m) for m in members]
    seen = [accepted(c) if n % 12 == 7 else refused(c, Refusal.FULL) for n, c in enumerate(calls)]
    assert explain(state, seen, lambda state: state.taken("ten") == 4) is not None
    assert explain(state, seen, lambda state: state.taken("ten") == 5) is None


def test_a_cancelled_booking_cannot_be_confirmed_in_any_order() -> None:
    confirm = Call(Operation.CONFIRM, "anna", member="anna", booking="b")
    assert explain(BOOKED, [accepted(CANCEL, 1), accepted(confirm)], lambda state: True) is None
    either = [accepted(CANCEL, 1), refused(confirm, Refusal.NOT_CONFIRMED)]
    found = explain(BOOKED, either, lambda state: True)
    assert found is not None
    assert found.bookings[0].status is Status.CANCELLED


ATHENS = ZoneInfo("Europe/Athens")
NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)  # already the 24th in Athens


@pytest.mark.parametrize(
    ("when", "start"),
    [
        ("in 2 hours", datetime(2026, 11, 24, 2, 30, tzinfo=ATHENS)),
        ("30 minutes ago", datetime(2026, 11, 24, 0, 0, tzinfo=ATHENS)),
        ("tomorrow at 00:15", datetime(2026, 11, 25, 0, 15, tzinfo=ATHENS)),
        ("in 6 days at 18:30", datetime(2026, 11, 30, 18, 30, tzinfo=ATHENS)),
        ("on the next spring clock change at 08:00", datetime(2027, 3, 28, 8, 0, tzinfo=ATHENS)),
        ("on the next autumn clock change at 02:30", datetime(2027, 10, 31, 2, 30, tzinfo=ATHENS)),
    ],
)
def test_words_become_the_studios_local_start(when: str, start: datetime) -> None:
    assert start_of(when, NOW, "Europe/Athens") == start


def test_other_words_are_refused_with_examples() -> None:
    with pytest.raises(SuiteError, match="tomorrow at 10:00"):
        start_of("soon", NOW, "Europe/Athens")
