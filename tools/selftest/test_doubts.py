"""What a scenario foretells, on a system with rules of its own: what gives way, what is left unproven, what fails."""

from __future__ import annotations

import pytest

from acceptance import access
from acceptance.access import May
from acceptance.doubts import About, Doubts, Ground
from acceptance.errors import NotProven
from acceptance.model import Booking, Call, Deposit, Operation, Slot, State
from acceptance.policies import Choice, Policy, outcomes


@pytest.mark.parametrize(
    ("ground", "about", "excused"),
    [
        (Ground.CHOICE, About.ANSWER, True),
        (Ground.CHOICE, About.STATE, True),
        (Ground.CHOICE, About.KEPT_ANSWER, False),
        (Ground.NO_KEYS, About.ANSWER, True),
        (Ground.NO_KEYS, About.STATE, False),
        (Ground.NO_KEYS, About.KEPT_ANSWER, False),
        (Ground.LACK, About.ANSWER, False),
    ],
)
def test_an_expectation_gives_way_in_its_own_step_only(ground: Ground, about: About, excused: bool) -> None:
    doubts = Doubts()
    doubts.add("because", ground, 2)
    if excused:
        assert doubts.excuse("expected it", about, 2)
        assert doubts.told == ["because"]
    else:
        with pytest.raises(NotProven, match=r"because.*Here: expected it"):
            doubts.excuse("expected it", about, 2)
    with pytest.raises(NotProven):
        doubts.excuse("expected it", about, 3)


def test_without_a_doubt_nothing_gives_way() -> None:
    assert not Doubts().excuse("expected it", About.ANSWER, 1)
    doubts = Doubts()
    doubts.add("because", Ground.CHOICE, 1)
    assert not doubts.excuse("expected it", About.ANY_SYSTEM, 1)


@pytest.mark.parametrize("policy", Policy)
def test_a_choice_is_said_in_the_words_by_which_it_is_declared(policy: Policy) -> None:
    for choice in (Choice.OURS, Choice.OTHER):
        name, _, word = policy.said(choice).partition(": ")
        assert (name, policy.choice(word)) == (policy, choice)


def test_staff_who_are_declared_not_to_act_for_members_must_be_refused() -> None:
    state = State((Deposit("a", "m", 2),), (Slot("s", 1),), (Booking("b", "m", "s", "a"),))
    call = Call(Operation.CANCEL, "desk", "secretary", member="m", booking="b")
    declared = {Policy.STAFF_ACT: Choice.OTHER}
    assert [answer.accepted for _, answer in outcomes(state, call, declared)] == [False]


def test_the_table_says_what_a_caller_may_and_of_their_own_what_the_member_may() -> None:
    table = access.read()
    assert table.answers("book", "stranger", own=False) == [May.NO]
    assert table.answers("book", "stranger", own=True) == [May.NO, May.YES]
    assert table.answers("switch_off", "stranger", own=False) == []
    assert access.column_of("user") == "stranger"
    assert access.column_of("user", "pretender") == "pretender"
