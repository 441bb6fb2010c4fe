"""Each change is written down, once and truly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from acceptance.client import Outcome
from acceptance.invariants.facts import Facts
from acceptance.invariants.register import invariant
from acceptance.model import Operation, Status


@invariant("I9")
def changes_are_audited(facts: Facts) -> Iterator[str]:
    """Compare what changed in a step with the audit entries of the case's trace that are new since."""
    if facts.before.audit is None or facts.after.audit is None:
        return
    old = {entry["id"] for entry in facts.before.audit}
    # A delivery to the calendar that failed is written down too; it changes nothing and nobody asked for it.
    entries = [e for e in facts.after.audit if e["id"] not in old and e["operation"] != "calendar"]
    was = {row["id"]: row["status"] for row in facts.before.bookings}
    turned = {row["id"] for row in facts.after.bookings if was.get(row["id"]) != row["status"]}
    held = {row["id"]: row for row in facts.before.deposits}
    moved = {row["id"]: row["deposit_remaining"] - _held(held, row["id"]) for row in facts.after.deposits}
    switched = {row["id"] for row in facts.after.deposits if held.get(row["id"], row)["is_active"] != row["is_active"]}
    switched |= moved.keys() - held.keys()  # a new one, also where its classes were used up at once
    named = Counter(name for entry in entries for name in {entry["booking_id"], entry["before"].get("booking_id")})
    # Each begins as confirmed: one that is new and stands no more has changed twice.
    new_and_over = {r["id"] for r in facts.after.bookings if r["id"] not in was and r["status"] != Status.CONFIRMED}
    for booking_id in turned:
        if named[booking_id] != 1 + (booking_id in new_and_over):
            yield f"the booking {booking_id} changed, and {named[booking_id]} audit entries of this trace say so."
    for deposit_id, change in moved.items():
        told = sum(_difference(entry) for entry in entries if entry["deposit_id"] == deposit_id)
        if told != change:
            yield f"the deposit {deposit_id} changed by {change:+d}, its audit entries add up to {told:+d}."
    if Operation.EXPIRE in {done.call.operation for done in facts.step if done.reply.outcome is Outcome.ACCEPTED}:
        for deposit_id in sorted(switched & held.keys()):
            ended = [e for e in entries if (e["operation"], e["deposit_id"]) == (Operation.EXPIRE, deposit_id)]
            if len(ended) != 1:
                yield f"the deposit {deposit_id} was switched off, and {len(ended)} audit entries of this trace say so."
    callers = {done.caller.user_id for done in facts.step if done.reply.outcome is not Outcome.REFUSED}
    asked = {done.call.operation for done in facts.step if done.reply.outcome is not Outcome.REFUSED}
    ours = {row["user_id"] for row in facts.after.users}
    for entry in entries:
        if entry["operation"] == Operation.EXPIRE and entry["user_id"] not in ours:
            continue  # the check for expired deposits acts on everybody's, also on those of other cases
        what = f"the audit entry {entry['id']} ({entry['operation']})"
        deposit_id = entry["deposit_id"]
        changed = entry["booking_id"] in turned or moved.get(deposit_id) or deposit_id in switched
        if not changed and not _undone(facts, entries, entry["booking_id"]):
            yield f"{what} tells of a change that is not there."
        elif entry["operation"] in set(Operation) - asked:
            yield f"{what} tells of something that nobody has asked for."
        elif entry["caller"] not in callers:
            yield f"{what} names the caller {entry['caller']}, who it was not."


def _undone(facts: Facts, entries: list[dict[str, Any]], booking_id: str) -> bool:
    """Tell whether entries of one step end and revive a booking's row, so that it stands as it stood before."""
    row, was = facts.after.booking(booking_id), facts.before.booking(booking_id)
    told = [entry for entry in entries if entry["booking_id"] == booking_id]
    if row is None or was is None or len(told) < 2:
        return False
    stands: bool = was["status"] == Status.CONFIRMED
    for entry in told:
        if (entry["before"].get("booking_status") == Status.CONFIRMED) != stands:
            return False
        stands = entry["after"].get("booking_status") == Status.CONFIRMED
    confirmed: bool = row["status"] == Status.CONFIRMED
    return stands == confirmed


def _held(deposits: dict[str, dict[str, Any]], deposit_id: str) -> int:
    return deposits[deposit_id]["deposit_remaining"] if deposit_id in deposits else 0


def _difference(entry: dict[str, Any]) -> int:
    before, after = entry["before"].get("deposit_remaining"), entry["after"].get("deposit_remaining")
    return 0 if before is None or after is None else after - before
