"""What is paid for is kept: no class is lost or given away, and no deposit holds fewer than none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from acceptance.invariants.facts import Facts
from acceptance.invariants.register import invariant
from acceptance.model import STANDING


def classes(count: int) -> str:
    """Say a number of classes: "1 class", "2 classes"."""
    return f"{count} class" if abs(count) == 1 else f"{count} classes"


@invariant("I2")
def classes_are_conserved(facts: Facts) -> Iterator[str]:
    """Compare what was paid for with what is left and booked (the seed's "deposit consistency" and reconciliation)."""
    paid: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for row in facts.after.deposits:
        paid[row["user_id"]] += facts.credited.get(row["id"], 0)
        left[row["user_id"]] += row["deposit_remaining"]
    booked = Counter(row["user_id"] for row in facts.after.bookings if row["status"] in STANDING)
    for user_id in paid.keys() | booked.keys():
        yield from _balance(facts.who(user_id), paid[user_id], left[user_id], booked[user_id])
    if facts.after.bookings and "deposit_id" in facts.after.bookings[0]:
        by_deposit = Counter(row["deposit_id"] for row in facts.after.bookings if row["status"] in STANDING)
        for row in facts.after.deposits:
            who = f"{facts.who(row['user_id'])} (deposit {row['id']})"
            yield from _balance(who, facts.credited.get(row["id"], 0), row["deposit_remaining"], by_deposit[row["id"]])


def _balance(who: str, paid: int, left: int, booked: int) -> Iterator[str]:
    difference = left + booked - paid
    if difference:
        verdict = f"{classes(-difference)} lost" if difference < 0 else f"{classes(difference)} given away"
        yield f"{who} paid for {classes(paid)}; {left} left and {booked} booked or attended: {verdict}."


@invariant("I6")
def never_below_zero(facts: Facts) -> Iterator[str]:
    """Look for deposits that hold fewer than zero classes."""
    for row in facts.after.deposits:
        if row["deposit_remaining"] < 0:
            yield f"the deposit {row['id']} of {facts.who(row['user_id'])} holds {row['deposit_remaining']}."
