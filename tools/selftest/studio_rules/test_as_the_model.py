"""The studio beside the model: both say the same of random calls."""

from __future__ import annotations

import random
import uuid

import pytest

from acceptance.environment import load
from acceptance.model import Call, Deposit, Operation, Slot, State
from acceptance.rules import apply
from tools.selftest.calls import arguments
from tools.selftest.studio_rules.town import ROLES, Town


@pytest.mark.parametrize("seed", range(4))
def test_the_studio_says_what_the_model_says(town: Town, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
    rooms = {town.slot(rng.choice((1, 2)), starts=starts): starts for starts in ("1 day", "2 days", "-1 hour")}
    deposits = {who: town.deposit(who, rng.randrange(4)) for who in ("anna", "bob")}
    state = State(
        tuple(Deposit(d, town.people[who], town.left(d)) for who, d in deposits.items()),
        tuple(
            Slot(
                room,
                town.sql("select max_capacity from pilates_schedule_slots where id = %s", room)[0][0],
                started=s[0] == "-",
            )
            for room, s in rooms.items()
        ),
    )
    refusals = load("embedded").refusals
    names = {
        "book": Operation.BOOK,
        "cancel": Operation.CANCEL,
        "move": Operation.RESCHEDULE,
        "remove": Operation.ADMIN_REMOVE,
        "confirm": Operation.CONFIRM,
    }
    for step in range(40):
        member, who, what = rng.choice(("anna", "bob")), rng.choice(list(ROLES)), rng.choice(list(names))
        room = rng.choice(list(rooms))
        mine = [b.id for b in state.bookings if b.member == town.people[member]]
        booking = rng.choice(mine) if mine else str(uuid.uuid4())
        values = arguments(what, town.people[member], booking, room)
        answer = town.call(who, what, *values)
        made = answer[0] if isinstance(answer, tuple) else f"none-{step}"
        call = Call(names[what], town.people[who], ROLES[who], town.people[member], room, booking, made)
        state, expected = apply(state, call)
        refused = isinstance(answer, str) and answer.startswith("PT")
        assert expected.accepted != refused, (call, answer, expected)
        if refused:
            (reason,) = [r for r, wording in refusals.items() if wording.search(answer)]
            assert reason in expected.refusals, (call, answer, expected)
        if isinstance(answer, tuple):
            assert answer[1] == expected.remaining
        if isinstance(answer, int):
            assert answer == expected.given_back
    assert {d: town.left(d) for d in deposits.values()} == {d.id: d.remaining for d in state.deposits}
