"""How an answer of a system that is not ours is read, and what a studio may choose otherwise."""

from __future__ import annotations

import pytest

from acceptance.client import Outcome, Reply
from acceptance.contract import Contract
from acceptance.functions import Function
from acceptance.model import Booking, Call, Deposit, Operation, Slot, State, Status
from acceptance.policies import Choice, Policy, outcomes


@pytest.fixture
def contract() -> Contract:
    functions = {
        Operation.BOOK: Function("book", {}),
        Operation.CANCEL: Function("cancel", {}, answers={"given_back": "data.n"}),
    }
    return Contract(reference=False, functions=functions, idempotent=False)


ID = "0a8ff6de-1b6f-4f6d-9d54-7f3d7a0e3a11"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (ID, {"booking_id": ID}),
        ([{"booking_id": ID, "remaining": 3}], {"booking_id": ID, "deposit_remaining": 3}),
        ({"success": True, "data": {"id": ID}, "credits_left": 0}, {"booking_id": ID, "deposit_remaining": 0}),
        (None, {}),
        (True, {}),
        ({"id": 5, "remaining": True}, {}),
    ],
)
def test_an_answer_is_read_by_what_it_looks_like(contract: Contract, body: object, said: dict[str, object]) -> None:
    assert contract.read(Operation.BOOK, body) == said


def test_what_is_mapped_must_be_said(contract: Contract) -> None:
    assert contract.read(Operation.CANCEL, {"data": {"n": 1}}) == {"given_back": 1}
    assert contract.read(Operation.CANCEL, {"n": 1}) == {"given_back": None}


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"success": False, "error": "full"}, "full"),
        ([{"ok": False, "message": "full"}], "full"),
        ({"error": "full"}, "full"),
        ({"status": "error", "message": "full"}, "full"),
        (False, "the answer is false"),
        ({"success": True, "error": None}, None),
        ({"success": True, "message": "booked"}, None),
        (True, None),
        (None, None),
    ],
)
def test_a_refusal_inside_an_answer_is_one(contract: Contract, body: object, refused: str | None) -> None:
    reply = Reply(Outcome.ACCEPTED, 200, body)
    contract.judge(reply, {})
    assert (reply.outcome, reply.message) == ((Outcome.REFUSED, refused) if refused else (Outcome.ACCEPTED, ""))
    ours = Reply(Outcome.ACCEPTED, 200, body)
    Contract().judge(ours, {})
    assert ours.outcome is Outcome.ACCEPTED


def test_a_studio_may_choose_only_what_loses_no_class() -> None:
    deposits = (Deposit("a", "m", 2, position=0), Deposit("b", "m", 2, position=1))
    state = State(deposits, (Slot("s", 1),), (Booking("old", "m", "s", "a", Status.CANCELLED),))
    either = dict.fromkeys(Policy, Choice.EITHER)
    again = Call(Operation.CANCEL, "m", member="m", booking="old")
    assert [answer.accepted for _, answer in outcomes(state, again, {})] == [True]
    assert [answer.accepted for _, answer in outcomes(state, again, either)] == [True, False]
    assert [answer.accepted for _, answer in outcomes(state, again, {Policy.CANCEL_AGAIN: Choice.OTHER})] == [False]
    assert {after for after, _ in outcomes(state, again, either)} == {state}
    book = Call(Operation.BOOK, "m", member="m", slot="s", creates="new")
    ways = outcomes(state, book, either)
    assert {after.bookings[-1].deposit for after, _ in ways} == {"a", "b"}
    assert {after.left("m") for after, _ in ways} == {3}
    stranger = Call(Operation.CANCEL, "x", member="m", booking="old")
    assert not any(answer.accepted for _, answer in outcomes(state, stranger, either))


def test_credits_may_be_topped_up() -> None:
    state = State((Deposit("a", "m", 2),), (Slot("s", 1),))
    call = Call(Operation.CREDIT, "desk", "secretary", member="m", creates="new", classes=3)
    ends = {
        len(after.deposits): after.left("m") for after, answer in outcomes(state, call, {Policy.CREDIT: Choice.EITHER})
    }
    assert ends == {2: 5, 1: 5}
