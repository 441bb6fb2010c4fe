"""What is written down of changes: the audit log, and the events for the calendar."""

from __future__ import annotations

from tools.selftest.studio_rules.town import Town


def test_each_change_is_written_down_once_and_a_refusal_never(town: Town) -> None:
    town.deposit("anna", 2)
    room, anna = town.slot(), town.people["anna"]
    booking, _ = town.book("anna", room)
    town.book("anna", room)
    town.call("anna", "cancel", booking, anna)
    town.call("anna", "cancel", booking, anna)
    found = town.sql("select operation, trace_id, caller::text, before, after from pilates_audit_log order by id")
    assert [(row[0], row[1], row[2]) for row in found] == [("book", "trace-anna", anna), ("cancel", "trace-anna", anna)]
    changes = [(row[3]["deposit_remaining"], row[4]["deposit_remaining"]) for row in found]
    assert changes == [(2, 1), (1, 2)]
    events = town.sql("select event from pilates_calendar_outbox order by id")
    assert events == [("booked",), ("cancelled",)]


def test_each_kind_of_change_has_one_entry(town: Town) -> None:
    town.deposit("anna", 2)
    town.deposit("bob", 1, expires="-1 day")
    anna = town.people["anna"]
    booking, _ = town.book("anna", town.slot())
    moved, _ = town.call("anna", "move", booking, anna, town.slot())
    town.call("sue", "remove", moved)
    second, _ = town.book("anna", town.slot())
    for _ in range(2):
        assert town.call("tom", "confirm", second, anna) == "completed"
        town.call("eve", "expire")
    town.call("eve", "credit", anna, 3)
    found = town.sql("select operation, caller_role from pilates_audit_log order by id")
    assert found == [
        ("book", "user"),
        ("reschedule", "user"),
        ("admin_remove", "secretary"),
        ("book", "user"),
        ("confirm_attendance", "trainer"),
        ("expire", "admin"),
        ("credit", "admin"),
    ]
    events = town.sql("select event from pilates_calendar_outbox order by id")
    assert [event for (event,) in events] == ["booked", "cancelled", "booked", "cancelled", "booked"]
