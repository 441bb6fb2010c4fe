"""What was acknowledged survives a crash, whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from acceptance.client import Outcome
from acceptance.history import Done
from acceptance.invariants.facts import Facts
from acceptance.invariants.register import invariant
from acceptance.model import BECOMES, Operation, Status

SHOWN_IDS = 3


@invariant("I14")
def acknowledged_survives(facts: Facts) -> Iterator[str]:
    """Compare every call's answer with the rows that are there after a crash; before one there is nothing to judge."""
    if facts.crashes:
        told = _Told(facts)
        yield from told.lost(facts)
        yield from told.never_accepted(facts)
        yield from told.halves(facts)


class _Told:
    """What the callers know: rows by what was acknowledged, and where a call without an answer may have made one."""

    def __init__(self, facts: Facts):
        self.allowed: dict[str, set[str]] = {row: {Status.CONFIRMED} for row in facts.given}
        self.place: dict[str, tuple[str, str]] = {}
        self.unanswered: Counter[tuple[str, str]] = Counter()
        for step in facts.steps:
            for done in step:
                self._take(done)

    def _take(self, done: Done) -> None:
        operation, outcome = done.call.operation, done.reply.outcome
        if operation in (Operation.BOOK, Operation.RESCHEDULE):
            place = done.call.member, done.call.slot
            if outcome is Outcome.ACCEPTED:
                booking_id = str(done.said("booking_id"))
                self.allowed.setdefault(booking_id, {Status.CONFIRMED})
                self.place[booking_id] = place
                if done.repeats is not None and done.repeats.reply.outcome is Outcome.UNKNOWN:
                    self.unanswered[place] -= 1  # the repetition has told what became of it
            elif outcome is Outcome.UNKNOWN and done.repeats is None:
                self.unanswered[place] += 1
        ended = {Operation.RESCHEDULE: Status.CANCELLED}.get(operation) or BECOMES.get(operation)
        if operation is not Operation.BOOK and ended and outcome is not Outcome.REFUSED:
            booking_id = done.asked("p_booking_id")
            before = self.allowed.get(booking_id, {Status.CONFIRMED})
            self.allowed[booking_id] = {ended} if outcome is Outcome.ACCEPTED else before | {ended}

    def lost(self, facts: Facts) -> Iterator[str]:
        """Look for what was acknowledged and is not there."""
        rows = {row["id"]: row for row in facts.after.bookings}
        gone = [booking_id for booking_id in self.allowed if booking_id not in rows]
        if gone:
            yield f"of {len(self.allowed)} acknowledged bookings {len(gone)} are gone after the crash: {_some(gone)}."
        for booking_id, statuses in self.allowed.items():
            row, expected = rows.get(booking_id), " or ".join(sorted(statuses))
            if row is None:
                continue
            if row["status"] not in statuses:
                yield f"the booking {booking_id} was acknowledged as {expected}; after the crash it is {row['status']}."
            if self.place.get(booking_id, (row["user_id"], row["slot_id"])) != (row["user_id"], row["slot_id"]):
                yield f"the booking {booking_id} is of another member or class than the one that was acknowledged."

    def never_accepted(self, facts: Facts) -> Iterator[str]:
        """Look for bookings beyond those that were acknowledged and those that got no answer."""
        found = Counter((r["user_id"], r["slot_id"]) for r in facts.after.bookings if r["id"] not in self.allowed)
        for place, count in found.items():
            if count > self.unanswered[place]:
                who, slot = facts.who(place[0]), place[1]
                yield (
                    f"{who} has {count} bookings of the class {slot} that nobody was told of,"
                    f" and {self.unanswered[place]} requests for it without an answer: a refused one was kept."
                )

    def halves(self, facts: Facts) -> Iterator[str]:
        """Look for bookings of which only a part is there: its row, its audit entry or the calendar's event."""
        there = {row["id"] for row in facts.after.bookings}
        made = there - facts.given
        for what, entries in (("the audit log", facts.after.audit), ("the calendar's outbox", facts.after.outbox)):
            if entries is None:
                continue
            names = {entry["booking_id"] for entry in entries if entry["booking_id"]}
            if names - there:
                yield f"{what} tells of bookings that are not there, half of each was kept: {_some(names - there)}."
            if made - names:
                yield f"bookings are there, and {what} does not tell of them: {_some(made - names)}."


def _some(names: Collection[str]) -> str:
    """Name a few of many."""
    rest = f" and {len(names) - SHOWN_IDS} more" if len(names) > SHOWN_IDS else ""
    return ", ".join(sorted(names)[:SHOWN_IDS]) + rest
