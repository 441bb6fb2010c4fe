"""Reads from a failed case's folder what broke first in it, in which step and under which condition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from acceptance import hypotheses
from acceptance.access import ASKED
from acceptance.conditions import OUTSIDERS, Kind, kind
from acceptance.hypotheses import Hypothesis
from tools.report.results import Case

EXPECTATION = "expectation"
UNJUDGED = "not judged"
LOOKS = "see"
WRITES = "around"
PLACES, SIGHT, RIGHTS = "I3", "I8", "I16"
# Of several that break in one step, the one that tells an owner most about the cause; the rest are consequences.
ORDER = "I14 I16 I2 I5 I3 I6 I1 I4 I12 I11 I10 I8 I9 I7 I15 I13"
DIRECT = (*ORDER.split(), EXPECTATION)
OF_A_STEP = frozenset({"I7", "I9", "I11", "I12", "I15"})  # judged from one step to the next
IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")


@dataclass(frozen=True)
class Symptom:
    """What a failed case shows: what broke first, in which step, under which condition."""

    case: Case
    invariant: str
    severity: str
    operations: frozenset[str]
    kind: Kind
    broken: dict[str, str]  # everything that broke in the step, with a sentence each
    sentence: str
    detail: str  # tells apart what one invariant says of different things, such as views
    calls: int
    steered: bool  # whether it happens each time: nothing in it is left to chance
    hypotheses: tuple[Hypothesis, ...] = ()  # the best first
    rows: tuple[str, ...] = ()  # how rows changed, the most telling first
    around: frozenset[str] = frozenset()  # what was so before
    callers: frozenset[str] = frozenset()  # who asked, and was not refused


def rank(invariant: str) -> int:
    """Say how much a breach tells; one that nobody has ranked yet tells least."""
    return DIRECT.index(invariant) if invariant in DIRECT else len(DIRECT)


def of_case(where: Path, case: Case) -> list[Symptom]:
    """Read what a failed case has left; one without a folder never came to be judged.

    What broke first comes first. Of what broke later only that is a symptom of its own which is judged from step to
    step, and of another operation: totals that were wrong once stay so to the end of the case.
    """
    path = where / "failures" / case.id / "case.json"
    if not path.is_file():
        words = case.cause
        return [Symptom(case, UNJUDGED, "P1", frozenset(), Kind.ALONE, {}, words, _plain(words), 0, False)]
    told = orjson.loads(path.read_bytes())
    breaches, steps = told["breaches"], told["steps"]
    if not breaches:
        return [_unexpected(case, told)]
    numbers = sorted({breach["step"] for breach in breaches})
    first = _broken(case, told, numbers[0], [b for b in breaches if b["step"] == numbers[0]])
    found, met = [first], set(first.operations)
    for number in numbers[1:]:
        step = steps[number - 1]
        some = [b for b in breaches if b["step"] == number and b["invariant"] in OF_A_STEP]
        if some and not met & {call["operation"] for call in step}:
            found.append(_broken(case, told, number, some))
            met |= found[-1].operations
    for breach in breaches:  # whoever is let through is a symptom, in whichever step
        if _asked_without_right(breach) and breach["sentence"] not in {one.sentence for one in found}:
            found.append(_broken(case, told, breach["step"], [breach]))
    return found


def _unexpected(case: Case, told: dict[str, Any]) -> Symptom:
    """Make the symptom of a case in which nothing broke, but the studio answered otherwise than its rules say."""
    steps = told["steps"]
    sentence = told["complaints"][0] if told["complaints"] else case.cause
    step = steps[-1] if steps else []
    operations, met_as = frozenset(call["operation"] for call in step), kind(told, step, len(steps))
    calls = sum(map(len, steps))
    return Symptom(case, EXPECTATION, "P1", operations, met_as, {}, sentence, _plain(sentence), calls, len(step) < 2)


def _broken(case: Case, told: dict[str, Any], number: int, breaches: list[dict[str, Any]]) -> Symptom:
    """Make the symptom of what broke in one step; of the first of them, what the clues say is known as well."""
    steps = told["steps"]
    first = min(breaches, key=lambda breach: rank(breach["invariant"]))
    step = steps[number - 1] if 0 < number <= len(steps) else []
    seen, let = _seen(first), _asked_without_right(first)
    clues = told.get("clues", {}) if number == min(breach["step"] for breach in told["breaches"]) else {}
    asked = frozenset(clues.get("operations") or (call["operation"] for call in step))
    met_as = Kind[clues["condition"].upper()] if clues else kind(told, step, number)
    return Symptom(
        case,
        first["invariant"],
        min(breach["severity"] for breach in breaches),
        frozenset({seen or let or ""}) if seen or let else asked,
        Kind.OUTSIDER if let else Kind.ALONE if seen else met_as,
        {breach["invariant"]: breach["sentence"] for breach in breaches},
        first["sentence"],
        _role(first) if let else _plain(first["sentence"]) if seen or _is_shown(first) else "",
        sum(map(len, steps)),
        len(step) < 2 or bool(told["orders"].get(str(number))),
        tuple(hypotheses.rank(_of_this(clues, first, seen))) if clues else (),
        tuple(clues.get("rows", ())),
        frozenset(clues.get("around", ())),
        frozenset(first["sentence"].split()[:1] if let else ()),
    )


def _seen(breach: dict[str, Any]) -> str | None:
    """Say whether it broke beside the operations: in what is shown, or around them; None: in an operation itself."""
    if breach["invariant"] == RIGHTS:
        return None if _asked_without_right(breach) else WRITES
    return LOOKS if breach["invariant"] == SIGHT else None


def _asked_without_right(breach: dict[str, Any]) -> str | None:
    """Name the operation that somebody was granted who must not have it; None where tables were written or read."""
    found = (name for name, words in ASKED.items() if f" must not {words}, " in breach["sentence"])
    return next(found, None) if breach["invariant"] == RIGHTS else None


def _role(breach: dict[str, Any]) -> str:
    """Name the role that was let through; those who have none are all alike: nobody asks who is calling."""
    who: str = breach["sentence"].split()[0]
    return "" if who in OUTSIDERS else who


def _is_shown(breach: dict[str, Any]) -> bool:
    """Tell whether the rows are right, and only the schedule shows another number of bookings."""
    return breach["invariant"] == PLACES and "overbooked" not in breach["sentence"]


def _of_this(clues: dict[str, Any], first: dict[str, Any], seen: str | None) -> dict[str, Any]:
    """Let the clues speak of the breach that names the finding; what is merely looked at has changed no rows."""
    return {**clues, "invariants": [first["invariant"]], "operations": [], "rows": []} if seen else clues


def _plain(sentence: str) -> str:
    """Leave out of a sentence what differs from case to case."""
    return re.sub(r"\{.*?\}", "#", IDS.sub("#", sentence))
