"""The part of a target's contract that the users of a load need, as plain data: it travels with the plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from acceptance.client import Outcome
from acceptance.contract import Contract
from acceptance.functions import Function
from acceptance.model import OF_THE_SCHEDULE, Operation, Refusal


def packed(contract: Contract) -> dict[str, Any]:
    """Pack a contract into plain data."""
    return {
        "reference": contract.reference,
        "functions": {str(operation): asdict(function) for operation, function in contract.functions.items()},
        "composites": {str(one): [str(call) for call in calls] for one, calls in contract.composites.items()},
        "statuses": {str(ours): theirs for ours, theirs in contract.statuses.items()},
        "soft": dict(contract.soft),
        "idempotent": contract.idempotent,
        "occupancy": contract.occupancy,
        "zone": contract.zone,
    }


def unpacked(said: dict[str, Any]) -> Contract:
    """Make a contract of what ``packed`` has packed; without it our own studio's."""
    if not said:
        return Contract()
    functions = {Operation(name): Function(**function) for name, function in said["functions"].items()}
    composites = {Operation(one): tuple(map(Operation, calls)) for one, calls in said["composites"].items()}
    known = {key: said[key] for key in ("reference", "statuses", "soft", "idempotent", "occupancy", "zone")}
    return Contract(**known, functions=functions, composites=composites)


def operations(contract: Contract) -> list[str]:
    """Name what users can ask a target for, also what an app makes of several calls."""
    return sorted(str(one) for one in (contract.operations | contract.composites.keys()) - OF_THE_SCHEDULE)


def limits(contract: Contract, missing: list[str]) -> list[str]:
    """Say what of a target a load cannot prove, and why.

    Args:
        contract: the target's.
        missing: the operations that it lacks.
    """
    lacks = [contract.lacking.get(Operation(name), f"the target lacks {name}") for name in missing]
    if contract.reference:
        return lacks
    if not contract.idempotent:
        lacks.append("the target keeps no idempotency keys: a repeated request acts once (I11)")
    if not contract.occupancy:
        lacks.append("the target shows nowhere how many have booked: what the schedule shows (I3)")
    if "secretary" not in contract.roles:
        lacks.append("the target's user_profiles know no secretary: what a front desk does")
    elif Operation.BOOK in contract.functions and not contract.can_name(Operation.BOOK, "member"):
        name = contract.functions[Operation.BOOK].name
        lacks.append(f"{name} has no argument for the member: bookings that the front desk makes for others")
    if "secretary" in contract.roles and "pilates_bookings" not in contract.staff_sees:
        lacks.append("no policy shows the front desk bookings: what it does with those that stand")
    return lacks


def unclear(contract: Contract, answers: list[dict[str, Any]]) -> list[str]:
    """Say of which answers nobody can tell whether they are right."""
    if contract.reference:
        return []
    told = []
    refused = [answer for answer in answers if answer["outcome"] == Outcome.REFUSED]
    words = Counter(answer["message"] for answer in refused if answer["reason"] is None)
    if words:
        ((often, _),) = words.most_common(1)
        told.append(
            f"{words.total()} refusals are worded as none of `refusals` in data/environments.yaml: whether they are"
            f" right; most often {often!r}"
        )
    denied = Counter(answer["operation"] for answer in refused if answer["reason"] == Refusal.NOT_ALLOWED.name)
    told += [f"the front desk may not {name}: that it was refused {count} times" for name, count in denied.items()]
    made = [a for a in answers if a["operation"] == Operation.BOOK and a["outcome"] == Outcome.ACCEPTED]
    if made and not any((answer["said"] or {}).get("booking_id") for answer in made):
        told.append("no answer says which booking it has made: which row an answer means (I1, I12), see `answers`")
    return told


def nothing_accepted(contract: Contract, answers: list[dict[str, Any]]) -> str:
    """Say that there is nothing to judge, where another system has refused all bookings in words of its own."""
    booked = [answer for answer in answers if answer["operation"] == Operation.BOOK]
    if contract.reference or any(answer["outcome"] == Outcome.ACCEPTED for answer in booked):
        return ""
    words = Counter(a["message"] for a in booked if a["outcome"] == Outcome.REFUSED and a["reason"] is None)
    if not words:
        return ""
    return f"no booking was accepted, so nothing was tried; the most frequent answer: {words.most_common(1)[0][0]!r}"
