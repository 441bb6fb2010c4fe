"""Judges a load: all answers that were given against all rows it made. Pure; the rows are read elsewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from acceptance.client import Outcome
from acceptance.invariants import Breach, Facts, check
from acceptance.invariants.deposits import classes
from acceptance.model import BECOMES, STANDING, Operation, Status
from acceptance.snapshot import Snapshot
from tools.load import elsewhere

# Those that look only at the rows afterwards, so they hold for any number of calls in any order.
OF_ROWS = ("I2", "I3", "I4", "I5", "I6", "I10")
MAKES_A_BOOKING = (Operation.BOOK, Operation.RESCHEDULE)
GIVES_BACK = (Operation.CANCEL, Operation.ADMIN_REMOVE)

Row = dict[str, Any]


@dataclass
class Load:
    """What a load leaves behind.

    Args:
        after: all its rows; ``audit`` holds the entries of all its members, None where the target keeps none.
        answers: what was answered to each change, as ``locustfile`` keeps it.
        credited: the classes paid for before the load, per deposit id.
        peak: the places of each class.
        names: what to call a member or a class in a sentence.
        complete: whether the answers of all workers are here; otherwise what nobody was told of proves nothing.
        reference: whether it is our own studio, which never revives a booking, and names all that it makes.
        skew: by how many seconds the clocks of those who asked may differ.
    """

    after: Snapshot
    answers: list[Row]
    credited: dict[str, int]
    peak: dict[str, int]
    names: dict[str, str]
    complete: bool = True
    reference: bool = True
    skew: float = 0.005

    @cached_property
    def bookings(self) -> dict[str, Row]:
        """The booking rows by id."""
        return {row["id"]: row for row in self.after.bookings}

    def of(self, *operations: Operation, outcome: Outcome | None = None) -> Iterator[Row]:
        """Go through the answers of some operations, perhaps only those with one outcome."""
        for answer in self.answers:
            if answer["operation"] in operations and outcome in (None, answer["outcome"]):
                yield answer

    def said(self, answer: Row, key: str) -> str | None:
        """Return what an answer says in the contract's words; None where it does not say it."""
        body = answer["body"] if answer.get("said") is None else answer["said"]
        return str(body[key]) if isinstance(body, dict) and body.get(key) is not None else None

    def name(self, row_id: str | None) -> str:
        """Name a member or class in a sentence."""
        return self.names.get(row_id or "", str(row_id))


@dataclass
class Balance:
    """The classes of all members together: how many are lost, given away, and in how many classes too many are."""

    lost: int = 0
    given_away: int = 0
    overbooked: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        parts = [f"{classes(self.lost)} lost"] if self.lost else []
        parts += [f"{classes(self.given_away)} given away"] if self.given_away else []
        parts += [f"{classes(len(self.overbooked))} overbooked"] if self.overbooked else []
        return ", ".join(parts) or "no class lost or given away"


def judge(load: Load) -> tuple[list[Breach], Balance]:
    """Check everything that must hold after a load.

    Returns:
        The breaches, the most serious first, and what they come to in classes.
    """
    balance = Balance()
    credited, breaches = (_paid_for if load.reference else elsewhere.paid_for)(load)
    facts = Facts(load.after, load.after, [], credited, load.names, load.peak, reference=load.reference)
    breaches += check(facts, *OF_ROWS)
    for name, sentences in (
        ("I1", (accepted_stands if load.reference else elsewhere.accepted_stands)(load)),
        ("I9", audited(load)),
        ("I11", repeats_act_once(load)),
        ("I12", nothing_out_of_nothing(load)),
        ("I3", overbooked_meanwhile(load, balance)),
    ):
        breaches += [Breach(name, sentence) for sentence in sentences]
    _add_up(load, credited, balance)
    return sorted(breaches, key=lambda breach: (breach.severity, int(breach.invariant[1:]))), balance


def accepted_stands(load: Load) -> Iterator[str]:
    """Compare each answer with its row. A booking that was given up or attended stays so: no call revives it."""
    made: dict[str, Row] = {}
    ended: dict[str, set[str]] = defaultdict(set)
    perhaps: dict[str, set[str]] = defaultdict(set)
    for answer in load.answers:
        if answer["outcome"] == Outcome.REFUSED:
            continue
        operation = Operation(answer["operation"])
        accepted = answer["outcome"] == Outcome.ACCEPTED
        if operation in MAKES_A_BOOKING and accepted:
            made[load.said(answer, "booking_id") or "nothing"] = answer
        if answer["booking"]:
            becomes = BECOMES.get(operation, Status.CANCELLED)
            (ended if accepted else perhaps)[answer["booking"]].add(becomes)
    for booking_id, answer in made.items():
        row = load.bookings.get(booking_id)
        asked = f"{load.name(answer['member'])} was told that {load.name(answer['slot'])} is booked"
        if row is None:
            yield f"{asked}, but there is no such booking ({booking_id})."
        elif (row["user_id"], row["slot_id"]) != (answer["member"], answer["slot"]):
            yield f"{asked}, but the booking {booking_id} is another's or of another class."
    for booking_id in made.keys() | ended.keys() | perhaps.keys():
        row = load.bookings.get(booking_id)
        if row is None:
            if booking_id not in made and booking_id in ended:
                yield f"the booking {booking_id} was acknowledged as {_or(ended[booking_id])}, but no such row exists."
            continue
        allowed = ended[booking_id] or {Status.CONFIRMED, *perhaps[booking_id]}
        if len(ended[booking_id]) > 1:
            yield f"the booking {booking_id} was acknowledged as {' and also as '.join(sorted(ended[booking_id]))}."
        elif row["status"] not in allowed:
            who = f"{load.name(row['user_id'])}'s booking of {load.name(row['slot_id'])} ({booking_id})"
            yield f"{who} was acknowledged as {_or(allowed)}, but the row says {row['status']}."


def repeats_act_once(load: Load) -> Iterator[str]:
    """Compare the answer to each repeated request with the first one."""
    for answer in load.answers:
        first = answer.get("first")
        if not first or Outcome.UNKNOWN in (first["outcome"], answer["outcome"]):
            continue
        if (first["outcome"], first["body"]) != (answer["outcome"], answer["body"]):
            what = f"{load.name(answer['member'])}, {answer['operation']} with the key {answer['key']}"
            yield f"{what}: the first answer was {first['body']}, the second {answer['outcome']} {answer['body']}."


def nothing_out_of_nothing(load: Load) -> Iterator[str]:
    """Look for bookings that no answer speaks of, though every request about them was answered."""
    if not load.complete:
        return
    told = {load.said(answer, "booking_id") for answer in load.of(*MAKES_A_BOOKING, outcome=Outcome.ACCEPTED)}
    unknown = Counter((a["member"], a["slot"]) for a in load.of(*MAKES_A_BOOKING, outcome=Outcome.UNKNOWN))
    if not load.reference:  # there are answers that do not say which booking they have made
        accepted = load.of(*MAKES_A_BOOKING, outcome=Outcome.ACCEPTED)
        unknown.update((a["member"], a["slot"]) for a in accepted if not load.said(a, "booking_id"))
    for row in load.after.bookings:
        pair = (row["user_id"], row["slot_id"])
        if row["id"] in told:
            continue
        if unknown[pair] > 0:
            unknown[pair] -= 1
            continue
        words = f"{load.name(row['user_id'])} has the booking {row['id']} ({row['status']})"
        yield f"{words} of {load.name(row['slot_id'])}, which nobody was told of."


def audited(load: Load) -> Iterator[str]:
    """Look for each booking's and each deposit's entries, and for one entry of each accepted change's own trace."""
    if load.after.audit is None:
        return
    named: Counter[str] = Counter()
    change: Counter[str] = Counter()
    traces: Counter[str] = Counter()
    for entry in load.after.audit:
        named.update(name for name in {entry["booking_id"], entry["before"].get("booking_id")} if name)
        before, after = entry["before"].get("deposit_remaining"), entry["after"].get("deposit_remaining")
        change[entry["deposit_id"]] += 0 if before is None or after is None else after - before
        traces[entry["trace_id"]] += 1
    for row in load.after.bookings:
        expected = 1 if row["status"] == Status.CONFIRMED else 2
        if named[row["id"]] != expected:
            due = f"{expected} audit entries are due, {named[row['id']]} are there"
            yield f"the booking {row['id']} is {row['status']}: {due}."
    for row in load.after.deposits:
        moved = row["deposit_remaining"] - load.credited.get(row["id"], 0)
        if change[row["id"]] != moved:
            yield f"the deposit {row['id']} changed by {moved:+d}, its audit entries add up to {change[row['id']]:+d}."
    for answer in load.answers:
        if answer["outcome"] != Outcome.ACCEPTED or answer.get("first"):
            continue
        owed = _entries_due(answer)
        if traces[answer["trace"]] not in owed:
            what = f"{answer['operation']} for {load.name(answer['member'])} (trace {answer['trace']})"
            number = f"{_or(map(str, owed))} audit entries are due, {traces[answer['trace']]} are there"
            yield f"{what} was accepted: {number}."


def _entries_due(answer: Row) -> list[int]:
    """Say how many audit entries an accepted answer stands for."""
    operation = answer["operation"]
    if operation == Operation.CONFIRM:
        return [0, 1]  # it may have been confirmed before
    if operation in GIVES_BACK and isinstance(answer["body"], int):
        return [answer["body"]]
    return [1]


def overbooked_meanwhile(load: Load, balance: Balance) -> Iterator[str]:
    """Follow the audit entries in their order: a class that was overbooked is so even if somebody cancelled since.

    In a sound studio a place is given to the next only after the entry that frees it was committed, so entries in the
    order of their ids never count more than there are places.
    """
    taken: dict[str, set[str]] = defaultdict(set)
    worst: Counter[str] = Counter()
    for entry in sorted(load.after.audit or (), key=lambda entry: entry["id"]):
        status, slot, booking = entry["after"].get("booking_status"), entry["slot_id"], entry["booking_id"]
        if entry["before"].get("booking_id"):
            taken[entry["before"]["slot_id"]].discard(entry["before"]["booking_id"])
        if status == Status.CONFIRMED and booking in load.bookings:  # an entry without its row is found elsewhere
            taken[slot].add(booking)
        elif status is not None:
            taken[slot].discard(booking)
        worst[slot] = max(worst[slot], len(taken[slot]))
    standing = Counter(row["slot_id"] for row in load.after.bookings if row["status"] == Status.CONFIRMED)
    for slot, places in load.peak.items():
        if standing[slot] > places:
            balance.overbooked.add(slot)
        elif worst[slot] > places:
            balance.overbooked.add(slot)
            yield f"{load.name(slot)} has {places} places, but {worst[slot]} bookings stood meanwhile: overbooked."


def _paid_for(load: Load) -> tuple[dict[str, int], list[Breach]]:
    """Work out what was paid for each deposit, with the classes that the front desk sold."""
    credited, breaches = dict(load.credited), []
    there = {row["id"]: row for row in load.after.deposits}
    unknown: dict[str, list[int]] = defaultdict(list)
    for answer in load.of(Operation.CREDIT, outcome=Outcome.UNKNOWN):
        unknown[answer["member"]].append(answer["classes"])
    for answer in load.of(Operation.CREDIT, outcome=Outcome.ACCEPTED):
        deposit_id = load.said(answer, "deposit_id") or "nothing"
        credited[deposit_id] = answer["classes"]
        if there.get(deposit_id, {}).get("user_id") != answer["member"]:
            words = f"{classes(answer['classes'])} were sold to {load.name(answer['member'])}, but there is no"
            breaches.append(Breach("I1", f"{words} such deposit ({deposit_id}): {classes(answer['classes'])} lost."))
    for deposit_id in load.credited.keys() - there.keys():
        breaches.append(Breach("I2", f"the deposit {deposit_id} is gone: {classes(load.credited[deposit_id])} lost."))
    for deposit_id, row in there.items():
        if deposit_id in credited:
            continue
        sold = row.get("classes_credited", unknown[row["user_id"]][0] if unknown[row["user_id"]] else 0)
        if sold in unknown[row["user_id"]]:
            unknown[row["user_id"]].remove(sold)
            credited[deposit_id] = sold
        elif load.complete:
            words = f"{load.name(row['user_id'])} has a deposit that nobody was told of ({deposit_id})"
            breaches.append(Breach("I12", f"{words}: {classes(row['deposit_remaining'])} given away."))
            credited[deposit_id] = 0
        else:
            credited[deposit_id] = sold
    return credited, breaches


def _add_up(load: Load, credited: dict[str, int], balance: Balance) -> None:
    """Count what all members lost and gained."""
    difference: Counter[str] = Counter()
    owner = {row["id"]: row["user_id"] for row in load.after.deposits}
    for deposit_id, paid in credited.items():
        difference[owner.get(deposit_id, deposit_id)] -= paid
    for row in load.after.deposits:
        difference[row["user_id"]] += row["deposit_remaining"]
    for row in load.after.bookings:
        difference[row["user_id"]] += row["status"] in STANDING
    balance.lost = -sum(value for value in difference.values() if value < 0)
    balance.given_away = sum(value for value in difference.values() if value > 0)


def _or(words: Iterable[str]) -> str:
    return " or ".join(sorted(words))
