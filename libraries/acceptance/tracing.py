"""Follows a failed case back to what broke first, and gathers the clues: answers, rows and the target's catalogue."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from acceptance import hypotheses, structure
from acceptance.clues import AFTERWARDS, Answers, Around, Rows, Stretch, around, gather
from acceptance.model import OF_THE_SCHEDULE, Operation, Status

if TYPE_CHECKING:
    from acceptance.history import Done
    from acceptance.running_case import RunningCase
    from acceptance.snapshot import Snapshot

TOLD = ("bookings", "deposits", "slots")


def clues(case: RunningCase, told: dict[str, Any]) -> dict[str, Any]:
    """Gather what a failed case shows of its cause.

    Args:
        case: the case.
        told: what ``case.json`` has of it so far.
    """
    number = min(case.broken_in.values(), default=len(case.steps))
    step = case.steps[number - 1] if 0 < number <= len(case.steps) else []
    found = gather(told, number, _stretches(case, number), _around(case, number, step), _answers(step))
    sentence = next((b["sentence"] for b in told["breaches"] if b["step"] == number), "")
    asked = [Operation(name) for name in found["operations"] if name in set(Operation)]
    functions = _functions(case, asked)
    catalogue = structure.read(case.bench.connection)
    found["catalogue"] = catalogue.clues(functions, sentence)
    found["names"] = _names(case, asked)
    if signatures := catalogue.signatures(functions):
        found["names"]["function"] = " and ".join(signatures)
    return found


def _functions(case: RunningCase, asked: list[Operation]) -> list[str]:
    """Name the target's functions for some operations."""
    contract, ours = case.bench.contract, case.bench.target.environment.functions
    if contract.reference:
        return [ours[one] for one in asked if one in ours and one in contract.operations]
    return [contract.functions[one].name for one in asked if one in contract.functions]


def _names(case: RunningCase, asked: list[Operation]) -> dict[str, str]:
    """Say the target's words for what suggested SQL speaks of: statuses, roles, and the arguments of the function."""
    contract = case.bench.contract
    roles = [contract.roles.get(role, role if contract.reference else "") for role in ("secretary", "admin")]
    names = {
        "confirmed": contract.status(Status.CONFIRMED),
        "cancelled": contract.status(Status.CANCELLED),
        "staff": ", ".join(f"'{role}'" for role in dict.fromkeys(roles) if role) or "null",
    }
    for one in reversed(asked):
        if one in contract.functions:
            names |= contract.functions[one].arguments
    return {key: words for key, words in names.items() if key in hypotheses.UNKNOWN}


def _rows(snapshot: Snapshot) -> Rows:
    return {name: getattr(snapshot, name) for name in TOLD}


def _stretches(case: RunningCase, number: int) -> list[tuple[list[str], Stretch]]:
    """List what happened around a step in its order: what the studio did before it, the step, what came afterwards."""
    if not 0 < number <= len(case.snapshots):
        return []
    before, after = (_rows(one) for one in case.snapshots[number - 1])
    found = []
    acts = [act for steps, act in case.meanwhile if steps == number - 1]
    if acts:
        known = _rows(case.snapshots[number - 2][1]) if number > 1 else {name: [] for name in TOLD}
        earlier = _with_what_was_made(case, known)
        found.append((acts, Stretch(earlier, _of_those(earlier, before), places={})))
    step = case.steps[number - 1]
    outcomes = {str(done.reply.outcome) for done in step}
    bought: Counter[str] = Counter()
    for done in step:
        if done.call.operation is Operation.CREDIT and done.reply.outcome != "refused" and done.repeats is None:
            bought[done.call.member] += done.call.classes
    asked = list(dict.fromkeys(str(done.call.operation) for done in step))
    of_members = not set(asked) & {*OF_THE_SCHEDULE, Operation.EXPIRE}
    about = frozenset(done.call.member for done in step if done.call.member and of_members)
    own = Stretch(
        before, after, bought, case.peak, about, "accepted" in outcomes, "refused" in outcomes, frozenset(asked)
    )
    found.append((asked, own))
    if number == len(case.snapshots) and case.last is not None:
        found.append(([*asked, AFTERWARDS], Stretch(after, _rows(case.last))))
    return found


def _with_what_was_made(case: RunningCase, known: Rows) -> Rows:
    """Add to rows those that the scene has made and nobody has read since: what a studio did may have ended them."""
    contract = case.bench.contract
    rows = {name: list(known[name]) for name in TOLD}
    for table, row in case.made:
        name = table.removeprefix("pilates_")
        if name in ("bookings", "deposits") and all(row["id"] != other["id"] for other in rows[name]):
            rows[name] += contract.in_our_words(table, [row])
    return rows


def _of_those(earlier: Rows, rows: Rows) -> Rows:
    """Leave out the rows that are new: the scene has made them."""
    return {name: [row for row in rows[name] if any(row["id"] == one["id"] for one in earlier[name])] for name in TOLD}


def _around(case: RunningCase, number: int, step: list[Done]) -> list[Around]:
    """Say what was so before the step."""
    if not 0 < number <= len(case.snapshots):
        return []
    before = case.snapshots[number - 1][0]
    slots = set()
    for done in step:
        booking = case.state.booking(done.call.booking)
        slots |= {done.call.slot, booking.slot if booking else ""} - {""}
    started = [i for name, i in case.slots.items() if name in case.starts and case.starts[name] <= case.now]
    members = {done.call.member for done in step}
    return around(_rows(before), members, slots, started, before.at)


def _answers(step: list[Done]) -> Answers:
    """Say what the callers of a step were told."""
    bodies = [done.reply.body for done in step if isinstance(done.reply.body, dict)]
    codes = [str(body["code"]) for body in bodies if body.get("code")]
    return Answers(codes, [str(done.reply.outcome) for done in step])
