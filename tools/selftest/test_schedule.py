"""Schedules as text: read, listed, refused."""

from __future__ import annotations

from typing import Any

import pytest

from acceptance import schedule
from acceptance.errors import SuiteError
from acceptance.instruments import Stop
from acceptance.schedule import CHANGES, END, Course, Move

GATES = {"anna": ("deposit.update", "booking.insert"), "eve": ("booking.update",)}


def test_a_line_is_read_move_by_move() -> None:
    moves = schedule.read("front desk -> deposit.update | member 2 -> commit| member -> first change | member->end")
    expected = [("front desk", "deposit.update"), ("member 2", "commit"), ("member", "first change"), ("member", END)]
    assert moves == [Move(*move) for move in expected]
    assert schedule.read(" | ".join(map(str, moves))) == moves


@pytest.mark.parametrize(
    "line", ["", "member", "member ->", "-> end", "member -> nowhere", "member -> deposit.updates"]
)
def test_what_is_no_move_is_named(line: str) -> None:
    with pytest.raises(SuiteError, match="is no move of a schedule; say for example"):
        schedule.read(f"anna -> end | {line}")


def test_the_orders_of_two_calls_are_listed_once_each() -> None:
    one, two = (schedule.orders(GATES, stops) for stops in (1, 2))
    assert one == [
        "anna -> deposit.update | eve -> end | anna -> end",
        "anna -> booking.insert | eve -> end | anna -> end",
        "eve -> booking.update | anna -> end | eve -> end",
    ]
    assert schedule.orders({"anna": ("commit",), "bob": (), "eve": ()}) == [
        "anna -> commit | bob -> end | eve -> end | anna -> end"
    ]
    assert two == [
        "anna -> deposit.update | eve -> booking.update | anna -> end | eve -> end",
        "anna -> booking.insert | eve -> booking.update | anna -> end | eve -> end",
        "eve -> booking.update | anna -> deposit.update | eve -> end | anna -> end",
        "eve -> booking.update | anna -> booking.insert | eve -> end | anna -> end",
    ]


def test_every_operation_can_be_stopped_somewhere() -> None:
    assert all(Stop("anna", point) for points in CHANGES.values() for point in points)
    assert all(CHANGES.values())


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (("deposit.read", "wait", None), "no fault point 'deposit.read'"),
        (("commit", "explode", None), "cannot 'explode'"),
        (("commit", "raise", "4000"), "'4000' is no SQLSTATE"),
        (("commit", "raise", None), "None is no SQLSTATE"),
        (("commit", "delay", "long"), "takes milliseconds, not 'long'"),
    ],
)
def test_a_stop_that_cannot_be_is_named(stop: tuple[Any, ...], words: str) -> None:
    with pytest.raises(SuiteError, match=words):
        Stop("anna", *stop)


def test_what_was_planned_and_did_not_fire_is_missing_as_often_as_it_was_planned() -> None:
    course = Course(planned=["a", "a", "b"], fired=["a", "c"])
    assert course.not_exercised() == ["a", "b"]
