"""The calendar is told of each booking, in time and in order, and shows it in the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from acceptance.invariants.facts import Facts
from acceptance.invariants.register import invariant
from acceptance.model import Status


@invariant("I10")
def calendar_is_told(facts: Facts) -> Iterator[str]:
    """Compare each booking that the case's calls made or ended with the last event in the calendar's outbox.

    Once somebody has waited for the calendar, compare what it shows as well.
    """
    yield from facts.calendar
    if facts.after.outbox is None:
        return
    last = {event["booking_id"]: event["event"] for event in facts.after.outbox}
    for row in facts.after.bookings:
        made_by_a_call = row["id"] in last or row["id"] not in facts.given
        expected = {Status.CANCELLED: ("cancelled",)}.get(row["status"], ("booked", "moved"))
        if made_by_a_call and last.get(row["id"]) not in expected:
            said = last.get(row["id"], "nothing")
            yield f"the booking {row['id']} is {row['status']}, the calendar was last told: {said}."
    slots = {row["id"]: row["slot_id"] for row in facts.after.bookings}
    before: dict[str, str] = {}
    for event in facts.after.outbox:
        booking_id, what = event["booking_id"], event["event"]
        if what != "moved" and before.get(booking_id) == what:  # a class can be moved again and again
            yield f"the calendar was told twice in a row that the booking {booking_id} was {what}."
        if what != "moved":
            before[booking_id] = what
        if "slot_id" in event and event["slot_id"] != slots.get(booking_id, event["slot_id"]):
            yield f"the calendar was told of the class {event['slot_id']}, but the booking {booking_id} is of another."
        by_a_call = booking_id not in facts.given and what != "moved"
        if "trace_id" in event and not event["trace_id"] and by_a_call:
            yield f"what the calendar was told of the booking {booking_id} cannot be traced to a request."
        yield from _due_in_time(event)
    yield from _in_their_order(facts.after.outbox)


def _in_their_order(outbox: list[dict[str, Any]]) -> Iterator[str]:
    """Look for events of a booking that were delivered before an earlier one of the same booking."""
    waiting: dict[str, str | None] = {}
    for event in outbox:
        if "delivered_at" not in event:
            return
        booking_id, delivered = event["booking_id"], event["delivered_at"]
        if booking_id in waiting and delivered:
            earlier = waiting[booking_id]
            if earlier is None or datetime.fromisoformat(delivered) < datetime.fromisoformat(earlier):
                yield f"that the booking {booking_id} was {event['event']} was told before what came first."
        waiting[booking_id] = delivered


def _due_in_time(event: dict[str, Any]) -> Iterator[str]:
    """Compare when an event was written, when it is due, and when it was delivered, as far as the target tells."""
    if not {"created_at", "next_attempt_at", "delivered_at", "attempts"} <= event.keys() or event["attempts"]:
        return
    written, due, delivered = (
        event[key] and datetime.fromisoformat(event[key]) for key in ("created_at", "next_attempt_at", "delivered_at")
    )
    what = f"what the calendar is told of the booking {event['booking_id']}"
    if due - written > timedelta(minutes=1):
        yield f"{what} is due {due - written} after it was written."
    if delivered and delivered < due:
        yield f"{what} was marked as delivered before it was due."
