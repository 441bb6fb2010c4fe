"""What a failed case shows of its cause: which rows changed and how, what was done last, what the catalogue says.

A clue is a few plain words; ``data/patterns.yaml`` names them, and a finding's title says the first of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from acceptance.conditions import kind
from acceptance.model import STANDING, Operation, Status

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
# What stands in one of a case's steps beside the operations.
AFTERWARDS = "afterwards"


class Seen(StrEnum):
    """How rows changed, the most telling first."""

    BELOW_ZERO = "a deposit falls below zero"
    TWICE = "a member is booked twice"
    OVERBOOKED = "more are booked than there are places"
    GONE = "bookings are gone, and no class comes back"
    NOT_BACK = "bookings end, and no class comes back"
    TOO_OFTEN = "more classes come back than bookings end"
    OTHER_BACK = "the class goes back to another deposit"
    NOT_BOOKED = "a class is paid for, and no booking stands"
    TOO_MUCH = "more classes are paid than are booked"
    NOT_PAID = "a booking stands that no class was paid for"
    OTHER_PAYS = "another deposit pays than the booking says"
    MOVE_LOSES = "a change of bookings costs a class"
    MOVE_GIVES = "a change of bookings gives a class away"
    FOR_NOTHING = "classes are given for nothing"
    LESS = "classes vanish from a deposit"
    CREDITED = "other than was bought is credited"
    OTHERS = "bookings of others end"
    DELETED = "a booking is deleted"
    DEPOSIT_ENDS = "a deposit is switched off"
    DEPOSIT_CHANGED = "a deposit is changed otherwise"
    CLASS_CHANGED = "the class is changed"
    BOOKING_CHANGED = "a booking goes to somebody else"
    IN_SPITE = "refused, and rows are changed"
    NOTHING = "accepted, and no row is changed"


# What of a class nobody changes by booking it; a target may count its bookings beside them.
OF_A_CLASS = ("is_active", "max_capacity", "date", "start_time", "end_time")
# What a member loses or gets, told in a title; the rest says too little.
TELLING = frozenset(list(Seen)[: list(Seen).index(Seen.DELETED)])


class Around(StrEnum):
    """What was so before the step, as a title adds it to what was done."""

    SEVERAL = "with several deposits"
    ENDED = "when a deposit has ended"
    OFF = "of a class that was switched off"
    DELETED = "of a class that was deleted"
    STARTED = "of a class that has started"


@dataclass(frozen=True)
class Stretch:
    """The rows around something that happened: what was asked in a step, or what the studio did without being asked.

    ``credited`` counts the classes bought in it per member, ``places`` the most that a class had so far, ``callers``
    are the members whom it was about; none: whoever it concerns.
    """

    before: Rows
    after: Rows
    credited: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    about: frozenset[str] = frozenset()
    accepted: bool = False
    refused: bool = False
    operations: frozenset[str] = frozenset()


def seen(stretch: Stretch) -> list[Seen]:
    """Say how rows changed, the most telling first."""
    found = {*_balance(stretch), *_standing(stretch), *_beside(stretch)}
    return [one for one in Seen if one in found]


def _standing_in(rows: Rows) -> dict[str, Mapping[str, Any]]:
    return {row["id"]: row for row in rows["bookings"] if row["status"] in STANDING}


def _balance(stretch: Stretch) -> Iterator[Seen]:
    """Compare, member by member and deposit by deposit, what was booked with what was paid."""
    before, after = _standing_in(stretch.before), _standing_in(stretch.after)
    made, ended = after.keys() - before.keys(), before.keys() - after.keys()
    known = {row["id"] for row in stretch.after["bookings"]}
    paid = {row["id"]: row["deposit_remaining"] for row in stretch.before["deposits"]}
    left = {row["id"]: row["deposit_remaining"] for row in stretch.after["deposits"]}
    owner = {row["id"]: row["user_id"] for row in (*stretch.before["deposits"], *stretch.after["deposits"])}
    grown: Counter[str] = Counter()
    for deposit in owner:
        grown[owner[deposit]] += left.get(deposit, 0) - paid.get(deposit, 0)
    new, over = Counter(after[n]["user_id"] for n in made), Counter(before[n]["user_id"] for n in ended)
    for member in {*owner.values(), *new, *over}:
        bought = stretch.credited.get(member, 0)
        more = grown[member] - bought + new[member] - over[member]
        if bought or stretch.operations == {Operation.CREDIT}:
            yield from (Seen.CREDITED,) if more else ()
            continue
        if stretch.about and member not in stretch.about and over[member]:
            continue  # that bookings of others end says more than what became of their classes
        gone = any(before[n]["user_id"] == member and n not in known for n in ended)
        books = not stretch.operations or bool(stretch.operations & {Operation.BOOK, Operation.RESCHEDULE})
        yield from _verdict(more, grown[member], new[member], over[member], gone=gone, books=books)
        if not more and "deposit_id" in next(iter((*before.values(), *after.values())), {}):
            wanted = Counter(before[n]["deposit_id"] for n in ended)
            wanted.subtract(after[n]["deposit_id"] for n in made)
            mine = [d for d, whose in owner.items() if whose == member]
            if any(left.get(d, 0) - paid.get(d, 0) != wanted[d] + _moved(before, after, d) for d in mine):
                yield Seen.OTHER_BACK if over[member] else Seen.OTHER_PAYS


def _moved(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]], deposit: str) -> int:
    """Count what a deposit owes when bookings that stand are written to another one."""
    both = before.keys() & after.keys()
    return sum((before[n]["deposit_id"] == deposit) - (after[n]["deposit_id"] == deposit) for n in both)


def _verdict(more: int, grown: int, new: int, over: int, *, gone: bool, books: bool) -> Iterator[Seen]:
    """Say what a member has lost or got: ``more`` classes than before, in deposits and bookings together."""
    if more < 0:
        if new and over:
            yield Seen.MOVE_LOSES
        elif over:
            yield Seen.GONE if gone else Seen.NOT_BACK
        elif new:
            yield Seen.TOO_MUCH
        elif grown < 0:
            yield Seen.NOT_BOOKED if books else Seen.LESS
    elif more > 0:
        if new and over:
            yield Seen.MOVE_GIVES
        elif over:
            yield Seen.TOO_OFTEN
        else:
            yield Seen.NOT_PAID if new else Seen.FOR_NOTHING


def _standing(stretch: Stretch) -> Iterator[Seen]:
    """Look at the bookings that stand, and at those that ended."""
    before, after = _standing_in(stretch.before), _standing_in(stretch.after)
    confirmed = [row for row in after.values() if row["status"] == Status.CONFIRMED]
    pairs = Counter((row["user_id"], row["slot_id"]) for row in confirmed)
    if any(count > 1 for count in pairs.values()):
        yield Seen.TWICE
    taken = Counter(row["slot_id"] for row in confirmed)
    if any(taken[slot] > places for slot, places in stretch.places.items()):
        yield Seen.OVERBOOKED
    ended = [before[n]["user_id"] for n in before.keys() - after.keys()]
    if stretch.about and set(ended) - stretch.about:
        yield Seen.OTHERS
    known = {row["id"] for row in stretch.after["bookings"]}
    if any(row["id"] not in known for row in stretch.before["bookings"]):
        yield Seen.DELETED


def _beside(stretch: Stretch) -> Iterator[Seen]:
    """Look for what else was changed, or was not."""
    if any(row["deposit_remaining"] < 0 for row in stretch.after["deposits"]):
        yield Seen.BELOW_ZERO
    for was, row in _pairs(stretch, "deposits"):
        if was.get("is_active", True) and row.get("is_active") is False:
            yield Seen.DEPOSIT_ENDS
        elif any(was.get(name) != row.get(name) for name in ("is_active", "expires_at", "user_id", "credited_at")):
            yield Seen.DEPOSIT_CHANGED
    asked = stretch.operations & {Operation.SWITCH_OFF, Operation.RESIZE, Operation.CALL_OFF}
    if not asked and any(
        was.get(name) != row.get(name) for was, row in _pairs(stretch, "slots") for name in OF_A_CLASS
    ):
        yield Seen.CLASS_CHANGED
    if any(was[name] != row[name] for was, row in _pairs(stretch, "bookings") for name in ("user_id", "slot_id")):
        yield Seen.BOOKING_CHANGED
    same = all(stretch.before[t] == stretch.after[t] for t in ("bookings", "deposits", "slots"))
    if stretch.refused and not stretch.accepted and not same:
        yield Seen.IN_SPITE
    if stretch.accepted and not stretch.refused and same:
        yield Seen.NOTHING


def _pairs(stretch: Stretch, table: str) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each row that was there before and is there afterwards, as it was and as it is."""
    old = {row["id"]: row for row in stretch.before[table]}
    return ((old[row["id"]], row) for row in stretch.after[table] if row["id"] in old)


def around(rows: Rows, members: Iterable[str], slots: Iterable[str], started: Iterable[str], now: str) -> list[Around]:
    """Say what was so before a step.

    Args:
        rows: the rows before it.
        members: whom it is about.
        slots: the classes that it is about.
        started: the classes that have begun.
        now: the instant, as the rows write theirs.
    """
    found, there, wanted = set(), {row["id"]: row for row in rows["slots"]}, set(members)
    for slot in slots:
        found |= {Around.DELETED} if slot not in there else set()
        found |= {Around.OFF} if there.get(slot, {}).get("is_active") is False else set()
        found |= {Around.STARTED} if slot in set(started) else set()
    mine = [row for row in rows["deposits"] if row["user_id"] in wanted]
    if any(count > 1 for count in Counter(row["user_id"] for row in mine).values()):
        found.add(Around.SEVERAL)
    if any(row.get("is_active") is False or (row.get("expires_at") or now) < now for row in mine):
        found.add(Around.ENDED)
    return [one for one in Around if one in found]


@dataclass(frozen=True)
class Answers:
    """What the callers of a step were told, for ``answers`` of a pattern."""

    codes: Sequence[str] = ()
    outcomes: Sequence[str] = ()

    def told(self) -> list[str]:
        """List outcomes and codes, such as "accepted" and "40P01"."""
        return sorted({*self.outcomes, *self.codes})


def gather(
    told: Mapping[str, Any],
    number: int,
    stretches: Sequence[tuple[Sequence[str], Stretch]],
    surroundings: Sequence[Around],
    answers: Answers,
) -> dict[str, Any]:
    """Put together what a step shows, as ``case.json`` keeps it; the catalogue's part is added by whoever has it.

    Args:
        told: the case, as its ``case.json`` has it.
        number: the step in which something broke first, from 1.
        stretches: what may have been the cause, in the order in which it happened, each with its operations: the first
            in which classes are lost or given away is.
        surroundings: what was so before.
        answers: what the callers were told.
    """
    steps = told["steps"]
    step = steps[number - 1] if 0 < number <= len(steps) else []
    asked = list(dict.fromkeys(call["operation"] for call in step))
    marked = [(operations, seen(stretch)) for operations, stretch in stretches]
    found = next((one for one in marked if TELLING & set(one[1])), None)
    if found is None:
        own = [rows for operations, rows in marked if list(operations) == asked]
        found = (asked, own[0] if own else [])
    operations, rows = found
    unasked = list(operations) != asked
    return {
        "invariants": list(dict.fromkeys(b["invariant"] for b in told["breaches"] if b["step"] == number)),
        "operations": list(operations),
        "condition": "alone"
        if unasked and AFTERWARDS not in operations
        else kind(dict(told), step, number).name.lower(),
        "callers": sorted({call["actor"] for call in step}),
        "answers": [] if unasked else answers.told(),
        "rows": [str(one) for one in rows],
        "around": [] if unasked else [str(one) for one in surroundings],
        "catalogue": {},
        "names": {},
    }
