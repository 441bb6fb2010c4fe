"""Races in a stated order: each call of a family meets each other, once for every place where it can be stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

from acceptance import schedule
from acceptance.errors import SuiteError
from acceptance.model import Operation
from tools.generator.matrix import FACTORS, FILE, Action, Matrix, Row
from tools.generator.story import ALL_OTHERS, ASKS, OF_THE_STUDIO

CATEGORY = "order"
SETTINGS = {"priority": "p0"}
BELONGS_TO = "concurrency"  # the category of the matrix that brings them along


def tell(matrix: Matrix, stops: int) -> list[tuple[Row, Action]]:
    """List the cases of all families.

    Args:
        matrix: the test matrix; its part ``orders`` holds the families.
        stops: how many stops an order has in all.

    Returns:
        The row of each case and the action that is made of its calls and the moves.
    """
    rows: list[tuple[Row, Action]] = []
    for name, family in matrix.orders.items():
        for calls in (*combinations_with_replacement(family["calls"], 2), *map(tuple, family.get("triples", ()))):
            if family.get("with", calls[0]) not in calls:
                continue
            for line in lines(calls, stops):
                met = " while ".join(map(_short, calls))
                title = f"{met}, {line.split(' | ')[0].replace(' -> ', ' held at ')}"
                action = Action(
                    f"order_{name}", CATEGORY, title, tuple(family["given"]), ((*calls, *line.split(" | ")),)
                )
                rows.append((_row(matrix, family, len(rows)), action))
    return rows


def lines(calls: Sequence[str], stops: int) -> list[str]:
    """List the orders of calls; where two are alike, one of each two that differ by the names only."""
    names = actors(calls)
    found = schedule.orders({name: gates(call) for name, call in names.items()}, stops)
    return [line for line in found if line.startswith(f"{next(iter(names))} ->")] if len({*calls}) == 1 else found


def actors(calls: Sequence[str]) -> dict[str, str]:
    """Name the actor of each call as a schedule does: "member", and "member 2" for the member's second call."""
    met: Counter[str] = Counter()
    names = {}
    for call in calls:
        name = actor(call)
        met[name] += 1
        names[name if met[name] == 1 else f"{name} {met[name]}"] = call
    return names


def actor(sentence: str) -> str:
    """Name who makes a call, as a schedule does."""
    known = {
        "the member": "member",
        "the front desk": "front desk",
        "the studio": "studio",
        "all other members": "other-1",
        "the other member": "other-1",
        "another member": "stranger",
        "the trainer": "trainer",
    }
    for words, name in known.items():
        if sentence.startswith(words):
            return name
    raise SuiteError(f"{FILE}: orders: nobody who could be stopped does {sentence!r}.")


def gates(sentence: str) -> tuple[str, ...]:
    """List where a call can be stopped: before each change that its operation cannot do without."""
    if match := OF_THE_STUDIO.fullmatch(sentence):
        return schedule.CHANGES[Operation.RESIZE if match[1] else Operation.SWITCH_OFF]
    if sentence == ALL_OTHERS:
        return schedule.CHANGES[Operation.BOOK]
    if sentence.startswith("the front desk credits"):
        return schedule.CHANGES[Operation.CREDIT]
    if sentence not in ASKS:
        raise SuiteError(f"{FILE}: orders: the generator does not know {sentence!r}.")
    return schedule.CHANGES[ASKS[sentence][0]]


def _short(sentence: str) -> str:
    return sentence.removeprefix("the ").removeprefix("all ").replace("at once", "").strip()


def _row(matrix: Matrix, family: dict[str, Any], number: int) -> Row:
    """Fill in the factors: the family's own, devices in turn, and otherwise the weightiest level."""
    row = {factor: max(matrix.factors[factor], key=matrix.factors[factor].__getitem__) for factor in FACTORS}
    devices = list(matrix.factors["device"])
    user = family.get("user", "normal-01")
    return {**row, "device": devices[number % len(devices)], "class": "normal", "user": user, **family.get("row", {})}
