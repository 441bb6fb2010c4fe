"""What was answered is so: accepted, refused, repeated, or disturbed by nobody and answered all the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from acceptance.client import Outcome
from acceptance.history import Done
from acceptance.invariants.facts import Facts
from acceptance.invariants.register import invariant
from acceptance.model import BECOMES, Operation, Status
from acceptance.snapshot import Snapshot

SERIALIZATION_FAILURE = "40001"


@invariant("I1")
def accepted_changes_stand(facts: Facts) -> Iterator[str]:
    """Compare each acknowledged booking with its row (the seed's "booking table consistency")."""
    allowed: dict[str, set[str]] = {}
    for step in facts.steps:
        proposed: dict[str, set[str]] = {}
        for done in step:
            for booking_id in _maybe_revived(facts, done, allowed):
                proposed.setdefault(booking_id, set()).update({Status.CONFIRMED}, allowed[booking_id])
            for booking_id, status in _acknowledged(done):
                if done.reply.outcome is Outcome.ACCEPTED:
                    proposed.setdefault(booking_id, set()).add(status)
                elif booking_id in allowed or booking_id in proposed:
                    # It may have happened or not; nobody vouched for any other booking.
                    proposed.setdefault(booking_id, set()).update({status}, allowed.get(booking_id, ()))
        allowed.update(proposed)
    for booking_id, statuses in allowed.items():
        row = facts.after.booking(booking_id)
        expected = " or ".join(sorted(statuses))
        if row is None:
            yield f"the booking {booking_id} was acknowledged as {expected}, but no such row exists."
        elif row["status"] not in statuses:
            yield f"the booking {booking_id} was acknowledged as {expected}, but the row says {row['status']}."
    for done in facts.step:
        if done.call.operation is not Operation.BOOK or done.reply.outcome is not Outcome.ACCEPTED:
            continue
        row = facts.after.booking(str(done.said("booking_id")))
        if row and (row["user_id"], row["slot_id"]) != (done.asked("p_user_id"), done.asked("p_slot_id")):
            yield f"the booking {row['id']} is of another member or class than the one that was asked for."


def _maybe_revived(facts: Facts, done: Done, allowed: Collection[str]) -> Iterator[str]:
    """Name the rows that another target's booking without a clear answer may have made stand again."""
    unclear = done.unseen or done.reply.outcome is Outcome.UNKNOWN
    if facts.reference or not unclear or done.call.operation is not Operation.BOOK:
        return
    for row in facts.after.bookings:
        if row["id"] in allowed and (row["user_id"], row["slot_id"]) == (done.call.member, done.call.slot):
            yield row["id"]


def _acknowledged(done: Done) -> Iterator[tuple[str, str]]:
    """Name the rows that a call's answer vouches for, with their status."""
    if done.reply.outcome is Outcome.REFUSED and not done.unseen:
        return
    operation = done.call.operation
    accepted = done.reply.outcome is Outcome.ACCEPTED
    if operation in (Operation.BOOK, Operation.RESCHEDULE) and accepted and done.says("booking_id"):
        yield str(done.said("booking_id")), Status.CONFIRMED
    if operation is Operation.RESCHEDULE:
        yield done.asked("p_booking_id"), Status.CANCELLED
    elif operation is not Operation.BOOK and operation in BECOMES:
        yield done.asked("p_booking_id"), BECOMES[operation]


@invariant("I7")
def answer_equals_database(facts: Facts) -> Iterator[str]:
    """Compare the numbers in an answer with the rows right after it; concurrent answers are judged by I13."""
    if len(facts.step) != 1 or facts.step[0].reply.outcome is not Outcome.ACCEPTED or facts.step[0].repeats:
        return
    done = facts.step[0]
    if done.call.operation in (Operation.BOOK, Operation.RESCHEDULE):
        yield from _booking_answer(facts, done)
    if done.call.operation in (Operation.CANCEL, Operation.ADMIN_REMOVE):
        booking = facts.after.booking(done.asked("p_booking_id"))
        if booking is not None:
            given = _left(facts.after, booking["user_id"]) - _left(facts.before, booking["user_id"])
            if done.says("given_back") and not done.unseen and done.given_back != given:
                yield f"the answer gives back {done.given_back!r} classes, the deposit got {given}."


def _booking_answer(facts: Facts, done: Done) -> Iterator[str]:
    if not done.says("booking_id"):
        return  # whether there is a booking at all is for the search of an order to say
    row = facts.after.booking(str(done.said("booking_id")))
    if row is None:
        yield f"the answer names the booking {done.said('booking_id')!r}, which does not exist."
        return
    deposits = [d for d in facts.after.deposits if d["user_id"] == row["user_id"]]
    if "deposit_id" in row:
        deposits = [d for d in deposits if d["id"] == row["deposit_id"]]
    held = sorted({d["deposit_remaining"] for d in deposits})
    if not done.says("deposit_remaining") or done.said("deposit_remaining") == _total(facts, done, row):
        return
    if done.said("deposit_remaining") not in held:
        yield f"the answer says {done.said('deposit_remaining')!r} classes are left, the deposit holds {held}."


def _total(facts: Facts, done: Done, row: dict[str, Any]) -> int | None:
    """What another system may mean by "left": all deposits of the member together."""
    return None if done.reply.said is None else _left(facts.after, row["user_id"])


def _left(snapshot: Snapshot, user_id: str) -> int:
    return sum(row["deposit_remaining"] for row in snapshot.deposits if row["user_id"] == user_id)


@invariant("I11")
def repeated_request_acts_once(facts: Facts) -> Iterator[str]:
    """Compare the answer to a repeated request with the first one, and the rows before and after."""
    for done in facts.step:
        if done.repeats is None:
            continue
        first, again = done.repeats.reply, done.reply
        at_once = any(done.repeats is other for other in facts.step)
        if at_once and Outcome.REFUSED in (first.outcome, again.outcome):
            continue  # no refusal is kept for a repetition; whether some order explains both, I13 judges
        if first.outcome is Outcome.UNKNOWN and not done.repeats.happened:
            continue  # then the second one was the first to act
        if first.outcome is Outcome.UNKNOWN and again.outcome is not Outcome.ACCEPTED:
            yield f"the first request acted without an answer, the second was {again.described()}."
        elif first.outcome is not Outcome.UNKNOWN and (first.outcome, first.body) != (again.outcome, again.body):
            yield f"the first answer was {first.described()} {first.body}, the second {again.described()} {again.body}."
        if len(facts.step) == 1 and facts.before.rows() != facts.after.rows():
            yield "the repeated request changed rows again."


@invariant("I12")
def refusal_changes_nothing(facts: Facts) -> Iterator[str]:
    """Compare the rows before and after a step in which everybody was refused."""
    if facts.step and all(done.reply.outcome is Outcome.REFUSED and not done.unseen for done in facts.step):
        before, after = facts.before.rows(), facts.after.rows()
        for table in before:
            if before[table] != after[table]:
                yield f"everybody was refused, but {table} changed."


@invariant("I15")
def undisturbed_gets_an_answer(facts: Facts) -> Iterator[str]:
    """Look for calls that nothing was to befall and that got no clear answer all the same.

    A serialization failure (40001) is an answer too: it asks the caller to try again.
    """
    for done in facts.step:
        reply = done.reply
        code = reply.body.get("code") if isinstance(reply.body, dict) else None
        if reply.outcome is Outcome.UNKNOWN and code != SERIALIZATION_FAILURE and not (done.disturbed or facts.crashes):
            yield f"nothing disturbed {done.caller.name}'s {done.call.operation}, and yet it ended {reply.described()}."
