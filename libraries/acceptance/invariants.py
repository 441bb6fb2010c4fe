"""What must always hold, one function each. Words, severity and advice stand in ``data/invariants.yaml``.

To add an invariant, write a function under ``@invariant("I…")`` that yields one sentence per breach, and its
entry in the data file. It gets the facts of a case after a step and must not ask the target anything itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from acceptance.client import Outcome
from acceptance.datafiles import DATA, read_yaml
from acceptance.errors import SuiteError
from acceptance.history import Done
from acceptance.model import STANDING, Operation, Status
from acceptance.snapshot import Snapshot

SHOWN_IDS = 3
BECOMES = {
    Operation.BOOK: Status.CONFIRMED,
    Operation.CANCEL: Status.CANCELLED,
    Operation.ADMIN_REMOVE: Status.CANCELLED,
    Operation.CONFIRM: Status.COMPLETED,
}


@dataclass(frozen=True)
class View:
    """What one caller was shown of a table: ``rows`` is None when the answer was a refusal."""

    caller: str
    table: str
    sees: bool
    rows: list[dict[str, Any]] | None


@dataclass
class Facts:
    """Everything a check may look at.

    ``steps`` holds the calls made so far, those made together in one list. ``credited`` counts the classes paid
    for per deposit id, ``owners`` names the members by user id, ``peak`` is the most places a class ever had,
    ``given`` are the bookings that stood before the case acted, ``calendar`` says where the calendar still disagreed
    with the bookings when the time to converge was over, ``crashes`` names what was killed so far, ``reference`` says
    that it is our own studio.
    """

    before: Snapshot
    after: Snapshot
    steps: list[list[Done]]
    credited: dict[str, int]
    owners: dict[str, str]
    peak: dict[str, int]
    explained: bool | None = True
    views: list[View] = field(default_factory=list)
    given: frozenset[str] = frozenset()
    calendar: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    crashes: list[str] = field(default_factory=list)
    reference: bool = True

    @property
    def step(self) -> list[Done]:
        """The calls of the last step."""
        return self.steps[-1] if self.steps else []

    def who(self, user_id: str) -> str:
        """Name somebody in a sentence."""
        return self.owners.get(user_id, f"somebody unknown ({user_id})")


@dataclass(frozen=True)
class Breach:
    """One invariant that did not hold."""

    invariant: str
    sentence: str

    @property
    def severity(self) -> str:
        """P0, P1 or P2."""
        return described()[self.invariant]["severity"]

    def __str__(self) -> str:
        return f"{self.severity} {self.invariant} {described()[self.invariant]['name']}: {self.sentence}"


Check = Callable[[Facts], Iterator[str]]
CHECKS: dict[str, Check] = {}


def invariant(name: str) -> Callable[[Check], Check]:
    """Register a check under an id of ``data/invariants.yaml``."""

    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


@cache
def described() -> dict[str, dict[str, str]]:
    """Return the words of all invariants by id.

    Raises:
        SuiteError: when a check has no entry or an entry lacks a key.
    """
    path = DATA / "invariants.yaml"
    entries: dict[str, dict[str, str]] = read_yaml(path)
    for name in CHECKS:
        for key in ("name", "severity", "meaning", "causes", "fix"):
            if key not in entries.get(name, {}):
                raise SuiteError(f"{path}: {name}.{key}: is missing.")
    return entries


def check(facts: Facts, *names: str) -> list[Breach]:
    """Check every invariant, or those named, on a case's facts, the most serious breach first."""
    breaches = [Breach(name, sentence) for name in names or CHECKS for sentence in CHECKS[name](facts)]
    # I14 is judged after a crash only, and then says best what is wrong.
    return sorted(breaches, key=lambda breach: (breach.severity, breach.invariant != "I14"))


def classes(count: int) -> str:
    """Say a number of classes: "1 class", "2 classes"."""
    return f"{count} class" if abs(count) == 1 else f"{count} classes"


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


SERIALIZATION_FAILURE = "40001"
# What the occupancy view repeats of the schedule.
SHOWN_OF_A_CLASS = ("date", "start_time", "end_time", "max_capacity", "is_active")


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


@invariant("I6")
def never_below_zero(facts: Facts) -> Iterator[str]:
    """Look for deposits that hold fewer than zero classes."""
    for row in facts.after.deposits:
        if row["deposit_remaining"] < 0:
            yield f"the deposit {row['id']} of {facts.who(row['user_id'])} holds {row['deposit_remaining']}."


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


# What is compared between a view and the database, per table.
SHOWN = {
    "pilates_bookings": ("id", "status", "slot_id", "user_id"),
    "pilates_deposits": ("id", "deposit_remaining", "user_id"),
    "pilates_slots_with_occupancy": ("slot_id", "booked_count", "max_capacity"),
}


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


@invariant("I13")
def some_order_explains(facts: Facts) -> Iterator[str]:
    """Take up the verdict of the search in ``orders.explain``; what no call changes must be as it was."""
    credited = any(done.call.operation is Operation.CREDIT for done in facts.step)
    for table, names in UNCHANGED.items():
        if table == "deposits" and credited:
            continue  # a studio may top a deposit up, and let it last longer
        before = {row["id"]: row for row in getattr(facts.before, table)}
        for row in getattr(facts.after, table) if facts.step else ():
            was = before.get(row["id"], {})
            for name in names:
                if was.get(name, row.get(name)) != row.get(name):
                    what = f"{name} of the {table.removesuffix('s')} {row['id']}"
                    yield f"{what} went from {was[name]} to {row.get(name)}, and no call does that."
    if facts.explained is True:
        return
    told = "; ".join(f"{done.caller.name} {done.call.operation}: {done.reply.described()}" for done in facts.step)
    if facts.explained is None:
        yield f"too many orders to judge ({told})."
    else:
        yield f"no order of the calls gives these answers and these rows ({told})."


# What no call of a member or of the front desk ever changes, by table.
UNCHANGED = {
    "deposits": ("user_id", "credited_at", "expires_at"),
    "bookings": ("user_id",),
    "slots": ("date", "start_time", "end_time"),
}


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


@invariant("I16")
def who_may_does(facts: Facts) -> Iterator[str]:
    """Say what was read or written by who may not, and what was withheld from who may, once somebody has tried."""
    yield from facts.rights
