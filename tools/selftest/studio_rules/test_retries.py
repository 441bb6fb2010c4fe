"""Requests that are sent again: with a key they get the first answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.selftest.studio_rules.town import Town


def test_a_retry_gets_the_first_answer(town: Town) -> None:
    paid, room = town.deposit("anna", 5), town.slot()
    first = town.book("anna", room, key="k")
    assert town.book("anna", room, key="k") == first
    assert town.left(paid) == 4
    assert town.book("anna", town.slot(), key="k").startswith("PT422 invalid request")
    # Another caller's key of the same name is another key.
    assert town.book("anna", town.slot(), by="eve", key="k")[1] == 3
    refused = [town.book("bob", room, key="r") for _ in range(2)]
    assert refused == ["PT409 class is full"] * 2


def test_every_call_keeps_its_first_answer(town: Town) -> None:
    town.deposit("anna", 5)
    anna, booking = town.people["anna"], town.book("anna", town.slot())[0]
    moved = town.call("anna", "move", booking, anna, town.slot())[0]
    other, third = (town.book("anna", town.slot())[0] for _ in range(2))
    town.deposit("bob", 1, expires="-1 day")
    for who, what, *values in (
        ("anna", "cancel", moved, anna),
        ("sue", "remove", other),
        ("tom", "confirm", third, anna),
        ("eve", "credit", anna, 2),
        ("eve", "expire"),
    ):
        first = town.call(who, what, *values, key="k")
        assert first not in (0, None), what
        changes = town.sql("select count(*) from pilates_audit_log")
        assert town.call(who, what, *values, key="k") == first, what
        assert town.sql("select count(*) from pilates_audit_log") == changes, what


def test_an_instant_is_the_same_request_in_another_zone(town: Town) -> None:
    values = (town.people["anna"], 1, "2030-01-01T00:00:00Z")
    zones = ("UTC", "Asia/Tokyo")
    first, again = (town.call("eve", "credit until", *values, key="k", zone=zone) for zone in zones)
    assert first == again


def test_an_empty_key_is_no_key(town: Town) -> None:
    town.deposit("anna", 2)
    assert [town.book("anna", town.slot(), key=key)[1] for key in ("", "")] == [1, 0]


@pytest.mark.parametrize("same_key", [True, False])
def test_one_tap_sent_ten_times_at_once_books_once(town: Town, same_key: bool) -> None:
    paid, room = town.deposit("anna", 5), town.slot(5)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: town.book("anna", room, key="k" if same_key else str(n)), range(10)))
    assert len({a for a in answers if not isinstance(a, str)}) == 1
    assert (town.left(paid), sum(isinstance(a, str) for a in answers)) == (4, 0 if same_key else 9)
