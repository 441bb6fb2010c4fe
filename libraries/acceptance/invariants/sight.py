"""Everybody sees and does what they may, and no more."""

from __future__ import annotations

from collections.abc import Iterator

from acceptance.invariants.facts import SHOWN, Facts
from acceptance.invariants.register import invariant


@invariant("I8")
def everyone_sees_their_own(facts: Facts) -> Iterator[str]:
    """Compare what each caller was shown with what the database holds."""
    held = {
        "pilates_bookings": facts.after.bookings,
        "pilates_deposits": facts.after.deposits,
        "pilates_slots_with_occupancy": facts.after.occupancy or [],
    }
    for view in facts.views:
        keys = SHOWN[view.table]
        shown = {tuple(row.get(key) for key in keys) for row in view.rows or []}
        if not view.sees:
            if shown:
                yield f"{view.caller} sees {len(shown)} rows of {view.table} that are not theirs to see."
            continue
        subjects = {row["user_id"] for row in facts.after.users if facts.who(row["user_id"]) == "the member"}
        rows = [row for row in held[view.table] if "user_id" not in keys or row["user_id"] in subjects]
        there = {tuple(row[key] for key in keys) for row in rows}
        if view.rows is None:
            yield f"{view.caller} may see {view.table}, but is refused."
        for hidden in sorted(there - shown, key=str):
            yield f"{view.caller} does not see {dict(zip(keys, hidden, strict=True))} of {view.table}."
        for invented in sorted(shown - there, key=str):
            yield f"{view.caller} is shown {dict(zip(keys, invented, strict=True))} of {view.table}, which is not so."


@invariant("I16")
def who_may_does(facts: Facts) -> Iterator[str]:
    """Say what was read or written by who may not, and what was withheld from who may, once somebody has tried."""
    yield from facts.rights
