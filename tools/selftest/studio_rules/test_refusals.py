"""What the studio refuses: each refusal has its status and words."""

from __future__ import annotations

import uuid

import pytest

from tools.selftest.studio_rules.town import Town


def test_each_refusal_has_its_status_and_words(town: Town) -> None:
    town.deposit("anna", 5)
    room, full = town.slot(2), town.slot(0)
    (booking, left) = town.book("anna", room)
    assert left == 4
    anna, bob = town.people["anna"], town.people["bob"]
    assert town.book("anna", room) == "PT409 already booked"
    assert town.book("anna", full) == "PT409 class is full"
    assert town.book("anna", town.slot(starts="-1 minute")) == "PT409 class has started"
    assert town.book("anna", town.slot(active=False)) == "PT409 class not offered"
    assert town.book("anna", str(uuid.uuid4())) == "PT404 class not found"
    assert town.book("bob", room) == "PT402 no classes left"
    assert town.call("anna", "cancel", str(uuid.uuid4()), anna) == "PT404 booking not found"
    assert town.call("bob", "cancel", booking, bob) == "PT403 not allowed"
    assert town.call("bob", "cancel", booking, anna) == "PT403 not allowed"
    assert town.call("anna", "move", booking, anna, full) == "PT409 class is full"
    assert town.call("eve", "credit", anna, 0).startswith("PT422 invalid request")
    assert town.call("eve", "credit", str(uuid.uuid4()), 1).startswith("PT422 invalid request")
    assert town.call("anna", "confirm", booking, anna) == "completed"
    assert town.call("anna", "cancel", booking, anna) == "PT409 booking not confirmed"


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(("expires", "active"), [("-1 day", True), ("30 days", False)])
def test_an_unusable_deposit_is_refused(town: Town, classes: int, expires: str, active: bool) -> None:
    town.deposit("anna", classes, expires=expires, active=active)
    assert town.book("anna", town.slot()) == "PT402 no classes left"


def test_null_arguments_and_a_null_caller_get_nowhere(town: Town) -> None:
    town.deposit("anna", 1)
    room = town.slot()
    assert town.call("anna", "book", None, room) == "PT403 not allowed"
    assert town.call("anna", "book", town.people["anna"], None) == "PT404 class not found"
    assert town.call("anna", "cancel", None, town.people["anna"]) == "PT404 booking not found"
    assert town.sql("select count(*) from pilates_bookings") == [(0,)]
    booking, _ = town.book("anna", room)
    for what, values in (("cancel", ()), ("move", (town.slot(),)), ("confirm", ())):
        assert town.call("eve", what, booking, None, *values) == "PT403 not allowed"
