"""Judges answers of a system that is not ours: a row may stand again, credits may top up, answers may say little.

Our own studio never revives a booking and sells each credit as a deposit of its own, so ``checking`` can be stricter
with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from math import inf
from typing import TYPE_CHECKING, Any

from acceptance.client import Outcome
from acceptance.invariants import Breach
from acceptance.invariants.deposits import classes
from acceptance.model import BECOMES, STANDING, Operation, Status

if TYPE_CHECKING:
    from tools.load.checking import Load

Row = dict[str, Any]
MAKES_A_BOOKING = (Operation.BOOK, Operation.RESCHEDULE)
MOST_UNCLEAR = 12  # credits without an answer of one member; more of them could be anything


@dataclass(frozen=True)
class Word:
    """What one answer says of a booking's row, and when it was true: between two instants. Not sure: perhaps never."""

    status: str
    begin: float
    end: float
    sure: bool
    pair: tuple[str, str] | None = None


def accepted_stands(load: Load) -> Iterator[str]:
    """Compare each booking's row with the last word on it; of words at the same time either may be the last."""
    words: dict[str, list[Word]] = defaultdict(list)
    rows_of: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in load.after.bookings:
        rows_of[row["user_id"], row["slot_id"]].append(row["id"])
    for answer in load.answers:
        first = answer.get("first")
        if answer["outcome"] == Outcome.REFUSED or (first and first["outcome"] != Outcome.UNKNOWN):
            continue  # the answer to a repeated request is the first one's: judged there
        for booking_id, word in _words(load, answer, rows_of):
            words[booking_id].append(word)
        pair = (answer["member"], answer["slot"])
        makes = answer["operation"] in MAKES_A_BOOKING and answer["outcome"] == Outcome.ACCEPTED
        if makes and not rows_of[pair] and not load.said(answer, "booking_id"):
            yield f"{load.name(pair[0])} was told that {load.name(pair[1])} is booked, but there is no such booking."
    for booking_id, said in words.items():
        yield from _judged(load, booking_id, said)


def _words(load: Load, answer: Row, rows_of: dict[tuple[str, str], list[str]]) -> Iterator[tuple[str, Word]]:
    """Name the rows that an answer speaks of, and what it says of each."""
    operation, accepted = Operation(answer["operation"]), answer["outcome"] == Outcome.ACCEPTED
    begin, end = _when(answer)
    pair, old = (answer["member"], answer["slot"]), answer["booking"]
    if operation in MAKES_A_BOOKING:
        named = load.said(answer, "booking_id") if accepted else None
        candidates = [named] if named else list(rows_of[pair])
        if not named and operation is Operation.RESCHEDULE and old not in candidates:
            candidates.append(old)  # the row itself may have been moved
        sure = bool(named) or (accepted and len(candidates) == 1)
        for booking_id in candidates:
            yield booking_id, Word(Status.CONFIRMED, begin, end, sure, pair)
        if operation is Operation.BOOK or old == named:
            return
        moved = load.bookings.get(old, {}).get("slot_id") == pair[1]
        yield old, Word(Status.CANCELLED, begin, end, accepted and not moved)
    elif old:
        yield old, Word(BECOMES.get(operation, Status.CANCELLED), begin, end, accepted)


def _when(answer: Row) -> tuple[float, float]:
    if not answer["at"]:
        return -inf, inf  # the user was ended in the middle of it
    at = datetime.fromisoformat(answer["at"]).timestamp()
    if answer["outcome"] != Outcome.ACCEPTED:
        return at, inf
    # What a repeated request is told may have happened by the first one already.
    return (-inf if answer.get("first") else at), at + answer["ms"] / 1000


def _judged(load: Load, booking_id: str, said: list[Word]) -> Iterator[str]:
    if not any(word.sure for word in said):
        return
    latest = max(word.begin for word in said if word.sure)
    last = [word for word in said if word.end + load.skew >= latest]
    expected = " or ".join(sorted({word.status for word in last}))
    row = load.bookings.get(booking_id)
    if row is None:
        makes = [word for word in said if word.sure and word.pair]
        if makes and makes[-1].pair:
            member, slot = makes[-1].pair
            asked = f"{load.name(member)} was told that {load.name(slot)} is booked"
            yield f"{asked}, but there is no such booking ({booking_id})."
        else:
            yield f"the booking {booking_id} was acknowledged as {expected}, but no such row exists."
        return
    who = f"{load.name(row['user_id'])}'s booking of {load.name(row['slot_id'])} ({booking_id})"
    pairs = {word.pair for word in last}
    if row["status"] not in {word.status for word in last}:
        yield f"{who} was last acknowledged as {expected}, but the row says {row['status']}."
    elif None not in pairs and (row["user_id"], row["slot_id"]) not in pairs:
        yield f"{who} is another's or of another class than was acknowledged."


def paid_for(load: Load) -> tuple[dict[str, int], list[Breach]]:
    """Work out what was paid for each deposit, with the classes that the front desk sold, new or on top.

    Where an answer does not name the deposit, the classes go to one of the member that has too many.
    """
    credited, breaches = dict(load.credited), []
    there = {row["id"]: row for row in load.after.deposits}
    unnamed: dict[str, list[int]] = defaultdict(list)
    unclear: dict[str, list[int]] = defaultdict(list)
    for answer in load.of(Operation.CREDIT):
        first = answer.get("first")
        if answer["outcome"] == Outcome.UNKNOWN:
            unclear[answer["member"]].append(answer["classes"])
        elif answer["outcome"] == Outcome.ACCEPTED and not (first and first["outcome"] == Outcome.ACCEPTED):
            deposit_id = load.said(answer, "deposit_id")
            if not deposit_id:
                unnamed[answer["member"]].append(answer["classes"])
                continue
            credited[deposit_id] = credited.get(deposit_id, 0) + answer["classes"]
            if there.get(deposit_id, {}).get("user_id") != answer["member"]:
                sold = classes(answer["classes"])
                words = f"{sold} were sold to {load.name(answer['member'])}, but there is no such deposit"
                breaches.append(Breach("I1", f"{words} ({deposit_id}): {sold} lost."))
    for deposit_id in load.credited.keys() - there.keys():
        breaches.append(Breach("I2", f"the deposit {deposit_id} is gone: {classes(load.credited[deposit_id])} lost."))
    of_member: dict[str, list[Row]] = defaultdict(list)
    for row in load.after.deposits:
        of_member[row["user_id"]].append(row)
    booked = Counter(row["user_id"] for row in load.after.bookings if row["status"] in STANDING)
    by_deposit = Counter(row.get("deposit_id") for row in load.after.bookings if row["status"] in STANDING)

    def surplus(row: Row) -> int:
        left: int = row["deposit_remaining"]
        return left + by_deposit[row["id"]] - credited.get(row["id"], 0)

    for member in of_member.keys() | unnamed.keys():
        mine = of_member[member]
        if unnamed[member] and not mine:
            sold = classes(sum(unnamed[member]))
            breaches.append(Breach("I1", f"{sold} were sold to {load.name(member)}, who has no deposit: {sold} lost."))
            continue
        over = sum(row["deposit_remaining"] - credited.get(row["id"], 0) for row in mine) + booked[member]
        for number in sorted(unnamed[member], reverse=True) + _making(unclear[member], over - sum(unnamed[member])):
            deposit = max(mine, key=surplus)
            credited[deposit["id"]] = credited.get(deposit["id"], 0) + number
        if not load.complete:  # answers that are missing may have sold whatever is too much
            for row in mine:
                credited[row["id"]] = credited.get(row["id"], 0) + max(0, surplus(row))
            over = sum(row["deposit_remaining"] - credited[row["id"]] for row in mine) + booked[member]
            credited[mine[0]["id"]] += max(0, over)
        for row in mine:
            if row["id"] not in credited:
                words = f"{load.name(member)} has a deposit that nobody was told of ({row['id']})"
                breaches.append(Breach("I12", f"{words}: {classes(row['deposit_remaining'])} given away."))
                credited[row["id"]] = 0
    return credited, breaches


def _making(numbers: list[int], total: int) -> list[int]:
    """Find some of the numbers that add up to a total; none where there are no such."""
    numbers = numbers[:MOST_UNCLEAR]
    for count in range(1, len(numbers) + 1 if total > 0 else 0):
        for some in combinations(numbers, count):
            if sum(some) == total:
                return list(some)
    return []
