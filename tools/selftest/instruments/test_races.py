"""Calls in a planned order: what breaks where a rule is written as it is often seen, and holds where it is right."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from acceptance import schedule
from acceptance.instruments import Stop
from acceptance.schedule import END, Move
from tools.selftest.instruments.place import Place, single

TIMES = 20


def race(
    place: Place, function: str, arguments: Sequence[Any], others: Sequence[Any] = (), gate: str = "first change"
) -> tuple[list[Any], list[str]]:
    """Stop the first of two calls at a gate, let the other one run, then the first."""
    scheduler = place.scheduler()
    holes = ", ".join(["%s"] * len(arguments))
    tasks = {
        name: (name, function, place.call(name, f"select {function}({holes})", *values))
        for name, values in (("anna", arguments), ("eve", others or arguments))
    }
    answers = scheduler.run(tasks, [Move("anna", gate), Move("eve", END), Move("anna", END)], {})
    assert scheduler.course.not_exercised() == []
    return answers, scheduler.course.seen


@pytest.mark.parametrize(("function", "breaks"), [("naive_cancel", True), ("right_cancel", False)])
def test_two_cancellations_give_back_twice_only_where_nothing_is_locked(
    place: Place, function: str, breaks: bool
) -> None:
    for _ in range(TIMES):
        user, deposit = place.member(4)
        values = (user, place.slot(), deposit)
        (row,) = place.sql(
            "insert into pilates_bookings (user_id, slot_id, deposit_id) values (%s, %s, %s) returning id", *values
        )
        answers, seen = race(place, function, (row[0], deposit))
        assert (sum(answers), place.left(deposit)) == ((2, 6) if breaks else (1, 5))
        assert ("eve is blocked" in seen) == (not breaks)


@pytest.mark.parametrize(("function", "breaks"), [("naive_book", True), ("right_book", False)])
def test_the_last_place_is_given_twice_only_where_nothing_is_locked(place: Place, function: str, breaks: bool) -> None:
    for _ in range(TIMES):
        slot = place.slot(1)
        (anna, hers), (eve, other) = place.member(), place.member()
        answers, seen = race(place, function, (anna, slot, hers), (eve, slot, other), "booking.insert")
        assert sum(answers) == (2 if breaks else 1)
        assert ("eve is blocked" in seen) == (not breaks)


@pytest.mark.parametrize(("function", "breaks"), [("naive_credit", True), ("right_credit", False)])
def test_an_update_is_lost_only_where_it_was_read_before(place: Place, function: str, breaks: bool) -> None:
    for _ in range(TIMES):
        _, deposit = place.member(4)
        answers, _ = race(place, function, (deposit,), gate="deposit.update")
        assert (answers, place.left(deposit)) == ([1, 1], 5 if breaks else 6)


@pytest.mark.parametrize(("function", "breaks"), [("naive_pay", True), ("right_pay", False)])
def test_a_class_is_lost_only_where_the_error_is_swallowed(place: Place, function: str, breaks: bool) -> None:
    for _ in range(TIMES):
        user, deposit = place.member(4)
        stop = Stop("anna", "booking.insert", "raise", "53100")
        answer, _ = single(place, f"select {function}(%s, %s, %s)", stop, values=(user, place.slot(), deposit))
        booked = place.sql("select count(*) from pilates_bookings where user_id = %s", user)
        assert (answer, place.left(deposit), booked) == ((1, 3, [(0,)]) if breaks else ("53100", 4, [(0,)]))


def test_three_calls_take_their_turns(place: Place) -> None:
    _, deposit = place.member(4)
    scheduler = place.scheduler()
    names = ("anna", "bob", "eve")
    tasks = {n: (n, "naive_credit", place.call(n, "select naive_credit(%s)", deposit)) for n in names}
    moves = schedule.read("anna -> deposit.update | bob -> deposit.update | eve -> end | bob -> end | anna -> end")
    assert scheduler.run(tasks, moves, {}) == [1, 1, 1]
    assert place.left(deposit) == 5, "all three read 4"
    waits = ["anna waits at deposit.update", "bob waits at deposit.update"]
    assert scheduler.course.seen == [*waits, "eve ended", "bob ended", "anna ended"]


def test_calls_of_one_function_wait_one_after_the_other(place: Place) -> None:
    _, deposit = place.member()
    over, late = threading.Event(), []

    def anna() -> Any:
        answer = place.call("anna", "select one_way(%s, %s)", deposit, place.slot())()
        over.set()
        return answer

    def eve() -> Any:
        over.wait(0.5)  # by then bob waits; that must not pass for eve
        late.append(over.is_set())
        return place.call("eve", "select right_credit(%s)", deposit)()

    bob = place.call("bob", "select right_credit(%s)", deposit)
    tasks = {
        "anna": ("anna", "one_way", anna),
        "bob": ("bob", "right_credit", bob),
        "eve": ("eve", "right_credit", eve),
    }
    scheduler = place.scheduler()
    moves = schedule.read("anna -> slot.update | bob -> end | eve -> end | anna -> end")
    assert scheduler.run(tasks, moves, {}) == [1, 1, 1]
    assert scheduler.course.seen == ["anna waits at slot.update", "bob is blocked", "eve is blocked", "anna ended"]
    assert late == [False]


def test_a_deadlock_of_the_target_comes_to_its_end(place: Place) -> None:
    _, deposit = place.member()
    slot = place.slot()
    scheduler = place.scheduler()
    tasks = {
        "anna": ("anna", "one_way", place.call("anna", "select one_way(%s, %s)", deposit, slot)),
        "eve": ("eve", "other_way", place.call("eve", "select other_way(%s, %s)", deposit, slot)),
    }
    moves = schedule.read("anna -> slot.update | eve -> deposit.update | anna -> end | eve -> end")
    assert sorted(scheduler.run(tasks, moves, {}), key=str) == [1, "40P01"]
