"""Classes and their bookings fit: as many as are shown and have a place, nobody twice, nothing that dangles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from acceptance.invariants.facts import Facts
from acceptance.invariants.register import invariant
from acceptance.model import Status

# What the occupancy view repeats of the schedule.
SHOWN_OF_A_CLASS = ("date", "start_time", "end_time", "max_capacity", "is_active")


@invariant("I3")
def occupancy_is_true(facts: Facts) -> Iterator[str]:
    """Compare the occupancy view with the confirmed rows and the places (the seed's "calendar consistency")."""
    confirmed = Counter(row["slot_id"] for row in facts.after.bookings if row["status"] == Status.CONFIRMED)
    shown = {row["slot_id"]: row for row in facts.after.occupancy or []}
    for row in facts.after.slots:
        count, there = confirmed[row["id"]], shown.get(row["id"])
        if facts.after.occupancy is not None:  # there are targets that show nowhere how many are booked
            yield from _shown(row, there, count)
        if count > facts.peak.get(row["id"], row["max_capacity"]):
            yield f"the class {row['id']} has {row['max_capacity']} places, but {count} bookings stand: overbooked."


def _shown(row: dict[str, Any], there: dict[str, Any] | None, count: int) -> Iterator[str]:
    """Compare a class, and how many have booked it, with what the occupancy view shows of it."""
    if there is None:
        yield f"the class {row['id']} is missing from the occupancy view; it has {count} booked."
        return
    if there["booked_count"] != count:
        yield f"the class {row['id']} shows {there['booked_count']} booked, but {count} bookings stand."
    for name in SHOWN_OF_A_CLASS:
        if there.get(name, row.get(name)) != row.get(name):
            yield f"the class {row['id']} is shown with {name} {there[name]}, but the schedule says {row[name]}."


@invariant("I4")
def nothing_dangles(facts: Facts) -> Iterator[str]:
    """Look for rows whose member or class is gone (the seed's "no dangling references")."""
    users = {row["user_id"] for row in facts.after.users}
    slots = {row["id"] for row in facts.after.slots}
    for row in facts.after.bookings:
        if row["user_id"] not in users:
            yield f"the booking {row['id']} belongs to the member {row['user_id']}, who does not exist."
        if row["slot_id"] not in slots:
            yield f"the booking {row['id']} is for the class {row['slot_id']}, which does not exist."
    for row in facts.after.deposits:
        if row["user_id"] not in users:
            yield f"the deposit {row['id']} belongs to the member {row['user_id']}, who does not exist."


@invariant("I5")
def booked_once(facts: Facts) -> Iterator[str]:
    """Look for members who hold two places in one class."""
    pairs = Counter((r["user_id"], r["slot_id"]) for r in facts.after.bookings if r["status"] == Status.CONFIRMED)
    for (user_id, slot_id), count in pairs.items():
        if count > 1:
            yield f"{facts.who(user_id)} has {count} confirmed bookings of the class {slot_id}."
