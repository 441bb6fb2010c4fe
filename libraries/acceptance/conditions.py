"""Under which condition something was asked: alone, again, disturbed, at the same time; as its case has kept it."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from acceptance.faults import Fault

OUTSIDERS = frozenset({"stranger", "visitor", "unknown", "pretender"})
NETWORK = frozenset(Fault)  # the words by which a try says that the network disturbed it


class Kind(IntEnum):
    """The conditions under which something breaks, the simplest first."""

    ALONE = 0
    OUTSIDER = 1
    REPEATED = 2
    NETWORK = 3
    CALENDAR = 4
    DATABASE = 5
    TOGETHER = 6
    CRASH = 7


def kind(told: dict[str, Any], step: list[dict[str, Any]], number: int) -> Kind:
    """Say under which condition a step took place.

    Args:
        told: the case, as its ``case.json`` has it.
        step: the calls of the step.
        number: the number of the step, from 1.
    """
    planned = told["orders"].get(str(number), {}).get("planned", [])
    if told["crashes"]:
        return Kind.CRASH
    if len(step) > 1:
        return Kind.TOGETHER
    if any(" meets " in what for what in planned):
        return Kind.DATABASE
    if any(entry["leg"] == "calendar" for entry in told["faults_planned"]):
        return Kind.CALENDAR
    if any(attempt in NETWORK for call in step for attempt in call["tries"]):
        return Kind.NETWORK
    if any(call["repeated"] for call in step):
        return Kind.REPEATED
    outsiders = any(call["actor"] in OUTSIDERS and call["outcome"] == "accepted" for call in step)
    return Kind.OUTSIDER if outsiders else Kind.ALONE
