"""Bookings, moves and cancellations: what they cost and give back, and until when."""

from __future__ import annotations

import uuid

import pytest

from tools.selftest.studio_rules.town import Town


def test_a_started_class_is_given_back_by_removal_only(town: Town) -> None:
    paid, room, anna = town.deposit("anna", 1), town.slot(), town.people["anna"]
    booking, _ = town.book("anna", room)
    town.sql("update pilates_schedule_slots set date = date - 2 where id = %s", room)
    assert town.call("anna", "cancel", booking, anna) == "PT409 class has started"
    assert town.call("sue", "cancel", booking, anna) == "PT409 class has started"
    assert town.call("anna", "move", booking, anna, town.slot()) == "PT409 class has started"
    # The model names a class that does not exist before anything else.
    assert town.call("anna", "move", booking, anna, str(uuid.uuid4())) == "PT404 class not found"
    assert (town.left(paid), town.call("sue", "remove", booking), town.left(paid)) == (0, 1, 1)


def test_the_deposit_that_expires_first_is_charged_and_gets_its_class_back(town: Town) -> None:
    never, later, sooner = (town.deposit("anna", 2, expires=e) for e in (None, "20 days", "10 days"))
    booking, left = town.book("anna", town.slot())
    assert (left, town.left(never), town.left(later), town.left(sooner)) == (1, 2, 2, 1)
    town.sql(
        "update pilates_deposits set expires_at = now() - interval '1 day', is_active = false where id = %s", sooner
    )
    assert town.call("anna", "cancel", booking, town.people["anna"]) == 1
    assert (town.left(never), town.left(later), town.left(sooner)) == (2, 2, 2)


def test_a_cancelled_class_can_be_booked_again_and_is_given_back_once(town: Town) -> None:
    paid, room = town.deposit("anna", 1), town.slot()
    first, _ = town.book("anna", room)
    assert [town.call("anna", "cancel", first, town.people["anna"]) for _ in range(2)] == [1, 0]
    assert town.call("eve", "remove", first) == 0
    second, left = town.book("anna", room)
    assert (second != first, left, town.left(paid)) == (True, 0, 0)


def test_a_move_is_one_step(town: Town) -> None:
    paid, room, full, free = town.deposit("anna", 1), town.slot(), town.slot(0), town.slot()
    booking, _ = town.book("anna", room)
    assert town.call("anna", "move", booking, town.people["anna"], full) == "PT409 class is full"
    assert town.sql("select status from pilates_bookings") == [("confirmed",)]
    moved, left = town.call("anna", "move", booking, town.people["anna"], free)
    assert (left, town.left(paid)) == (0, 0)
    found = dict(town.sql("select id::text, status from pilates_bookings"))
    assert found == {booking: "cancelled", moved: "confirmed"}


def test_fewer_places_keep_the_bookings_and_refuse_new_ones(town: Town) -> None:
    room = town.slot(2)
    for who in ("anna", "bob"):
        town.deposit(who, 1)
    town.book("anna", room)
    town.sql("update pilates_schedule_slots set max_capacity = 0 where id = %s", room)
    assert town.book("bob", room) == "PT409 class is full"
    assert town.sql("select booked_count from pilates_slots_with_occupancy where slot_id = %s", room) == [(1,)]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Athens"])
def test_what_has_started_does_not_depend_on_anybodys_zone(town: Town, zone: str) -> None:
    town.deposit("anna", 5)
    assert town.book("anna", town.slot(starts="-20 minutes"), zone=zone) == "PT409 class has started"
    assert town.book("anna", town.slot(starts="20 minutes"), zone=zone)[1] == 4


def test_the_view_shows_the_instant_on_both_clock_changes(town: Town) -> None:
    for day, utc in (("2027-03-28", "05:00"), ("2027-10-31", "06:00")):
        town.sql(
            "insert into pilates_schedule_slots (date, start_time, end_time, max_capacity)"
            " values (%s, '08:00', '09:00', 1)",
            day,
        )
        found = town.sql("select starts_at at time zone 'UTC' from pilates_slots_with_occupancy where date = %s", day)
        assert str(found[0][0]) == f"{day} {utc}:00"
