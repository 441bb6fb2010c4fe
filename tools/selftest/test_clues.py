"""Clues: how the rows around a step become the words by which a cause is recognized."""

from __future__ import annotations

from typing import Any

import pytest

from acceptance.clues import AFTERWARDS, Answers, Around, Seen, Stretch, around, gather, seen
from acceptance.model import Operation

Rows = dict[str, list[dict[str, Any]]]


def rows(deposits: dict[str, int], **bookings: str) -> Rows:
    """Write rows in short: deposits by their first letters "m1", owned by "m"; a booking says "class of deposit"."""
    made = []
    for name, words in bookings.items():
        status, slot, deposit = words.split()
        made.append({"id": name, "user_id": deposit[0], "slot_id": slot, "deposit_id": deposit, "status": status})
    return {
        "bookings": made,
        "deposits": [{"id": n, "user_id": n[0], "deposit_remaining": left} for n, left in deposits.items()],
        "slots": [{"id": "c", "is_active": True, "max_capacity": 2}],
    }


BOOKED = rows({"m1": 4, "m2": 2}, b="confirmed c m1")
NOT_BOOKED = rows({"m1": 5, "m2": 2})


@pytest.mark.parametrize(
    ("before", "after", "first"),
    [
        (BOOKED, rows({"m1": 4, "m2": 2}, b="cancelled c m1"), Seen.NOT_BACK),
        (BOOKED, rows({"m1": 4, "m2": 2}), Seen.GONE),
        (BOOKED, rows({"m1": 6, "m2": 2}, b="cancelled c m1"), Seen.TOO_OFTEN),
        (BOOKED, rows({"m1": 4, "m2": 3}, b="cancelled c m1"), Seen.OTHER_BACK),
        (rows({"m1": 5}, b="cancelled c m1"), rows({"m1": 6}, b="cancelled c m1"), Seen.FOR_NOTHING),
        (NOT_BOOKED, rows({"m1": 4, "m2": 2}), Seen.NOT_BOOKED),
        (NOT_BOOKED, rows({"m1": 4, "m2": 2}, b="cancelled c m1"), Seen.NOT_BOOKED),
        (NOT_BOOKED, rows({"m1": 5, "m2": 2}, b="confirmed c m1"), Seen.NOT_PAID),
        (NOT_BOOKED, rows({"m1": 3, "m2": 2}, b="confirmed c m1"), Seen.TOO_MUCH),
        (NOT_BOOKED, rows({"m1": 5, "m2": 1}, b="confirmed c m1"), Seen.OTHER_PAYS),
        (BOOKED, rows({"m1": 3, "m2": 2}, b="cancelled c m1", d="confirmed k m1"), Seen.MOVE_LOSES),
        (BOOKED, rows({"m1": 5, "m2": 2}, b="cancelled c m1", d="confirmed k m1"), Seen.MOVE_GIVES),
        (BOOKED, rows({"m1": 3, "m2": 2}, b="confirmed c m1", d="confirmed c m1"), Seen.TWICE),
        (NOT_BOOKED, rows({"m1": -1, "m2": 2}), Seen.BELOW_ZERO),
        (rows({"m1": 4}, b="confirmed c m1"), rows({"m1": 5}, b="confirmed c m1"), Seen.FOR_NOTHING),
    ],
)
def test_a_loss_is_named_by_what_changed(before: Rows, after: Rows, first: Seen) -> None:
    assert seen(Stretch(before, after))[0] == first


@pytest.mark.parametrize(
    "after",
    [
        BOOKED,
        rows({"m1": 5, "m2": 2}, b="cancelled c m1"),  # cancelled
        rows({"m1": 4, "m2": 1}, b="confirmed c m1", d="confirmed k m2"),  # booked
        rows({"m1": 4, "m2": 2}, b="cancelled c m1", d="confirmed k m1"),  # moved
        rows({"m1": 4, "m2": 2}, b="completed c m1"),  # attended
    ],
)
def test_what_adds_up_is_no_loss(after: Rows) -> None:
    assert not seen(Stretch(BOOKED, after))


def test_what_was_bought_is_not_given_for_nothing() -> None:
    bought = rows({"m1": 5, "m2": 2, "m3": 10})
    credit = frozenset({Operation.CREDIT})
    assert not seen(Stretch(NOT_BOOKED, bought, credited={"m": 10}, operations=credit))
    assert seen(Stretch(NOT_BOOKED, bought, credited={"m": 5}, operations=credit)) == [Seen.CREDITED]


def test_places_others_and_answers() -> None:
    full = rows({"m1": 4, "o1": 0, "p1": 0}, b="confirmed c m1", d="confirmed c o1", e="confirmed c p1")
    assert seen(Stretch(full, full, places={"c": 2})) == [Seen.OVERBOOKED]
    emptied = rows({"m1": 5, "o1": 1, "p1": 0}, b="cancelled c m1", d="cancelled c o1", e="confirmed c p1")
    assert seen(Stretch(full, emptied, about=frozenset("m"))) == [Seen.OTHERS]
    assert seen(Stretch(BOOKED, BOOKED, accepted=True)) == [Seen.NOTHING]
    assert Seen.IN_SPITE in seen(Stretch(NOT_BOOKED, BOOKED, refused=True))


def test_what_becomes_of_others_is_told_apart() -> None:
    full = rows({"m1": 4, "o1": 0}, b="confirmed c m1", d="confirmed c o1")
    lost = rows({"m1": 5, "o1": 0}, b="cancelled c m1", d="cancelled c o1")
    assert seen(Stretch(full, lost, about=frozenset("m"))) == [Seen.OTHERS]
    assert seen(Stretch(full, lost)) == [Seen.NOT_BACK]  # of the class, for example: it is about everybody
    ended = Stretch(NOT_BOOKED, rows({"m1": 0, "m2": 2}), operations=frozenset({Operation.EXPIRE}))
    assert seen(ended) == [Seen.LESS]


def test_what_was_so_before_is_told() -> None:
    off = {**BOOKED, "slots": [{"id": "c", "is_active": False}]}
    assert around(off, ["m"], ["c"], ["c"], "2026") == [Around.SEVERAL, Around.OFF, Around.STARTED]
    assert around(BOOKED, ["o"], ["gone"], [], "2026") == [Around.DELETED]
    over = {**BOOKED, "deposits": [{"id": "m1", "user_id": "m", "deposit_remaining": 1, "expires_at": "2025"}]}
    assert around(over, ["m"], [], [], "2026") == [Around.ENDED]


def case(*operations: str) -> dict[str, Any]:
    step = [
        {"actor": "member", "operation": name, "outcome": "accepted", "repeated": False, "tries": ["200"]}
        for name in operations
    ]
    breach = {"invariant": "I2", "severity": "P0", "sentence": "1 class lost.", "step": 1}
    return {"steps": [step], "breaches": [breach], "orders": {}, "crashes": [], "faults_planned": []}


LOST = Stretch(BOOKED, rows({"m1": 4, "m2": 2}, b="cancelled c m1"))


def test_what_the_studio_did_before_the_step_is_blamed_where_classes_were_lost_then() -> None:
    quiet = Stretch(LOST.after, LOST.after)
    found = gather(case("cancel"), 1, [(["switch_off"], LOST), (["cancel"], quiet)], [Around.OFF], Answers())
    assert (found["operations"], found["condition"], found["around"]) == (["switch_off"], "alone", [])
    assert found["rows"][0] == Seen.NOT_BACK
    untouched = Stretch(BOOKED, BOOKED)
    found = gather(case("cancel"), 1, [(["switch_off"], untouched), (["cancel"], LOST)], [Around.OFF], Answers())
    assert (found["operations"], found["around"]) == (["cancel"], ["of a class that was switched off"])


def test_what_came_after_the_answer_is_told_apart() -> None:
    asked, later = Stretch(BOOKED, BOOKED), (["book", AFTERWARDS], LOST)
    found = gather(case("book"), 1, [(["book"], asked), later], [], Answers())
    assert found["operations"] == ["book", "afterwards"]
