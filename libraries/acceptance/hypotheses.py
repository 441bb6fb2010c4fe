"""Why something broke, most likely: the patterns of ``data/patterns.yaml`` that fit the clues, the best first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from acceptance import invariants, structure
from acceptance.clues import AFTERWARDS, Around, Seen
from acceptance.conditions import Kind
from acceptance.datafiles import DATA, read_yaml
from acceptance.errors import SuiteError
from acceptance.model import Operation

FILE = DATA / "patterns.yaml"
# How much each thing that a pattern asks for, and gets, speaks for it: what the rows and the catalogue show weighs
# more than what was asked, for that is where the cause has left its mark. A condition other than "alone" weighs most:
# a case is judged by what broke first, and what breaks without the race, the retry or the fault breaks there first.
WEIGHTS = {
    "invariants": 1,
    "operations": 1,
    "condition": 1,
    "callers": 1,
    "answers": 2,
    "around": 2,
    "rows": 3,
    "catalogue": 3,
}
ALONE, UNDER_A_CONDITION = "alone", 5
ACTS = {*Operation, AFTERWARDS, "move_start", "end_deposit"}
# What a pattern may say of each; of the others there is no list.
KNOWN: dict[str, Collection[str]] = {
    "invariants": invariants.CHECKS,
    "operations": ACTS,
    "condition": {kind.name.lower() for kind in Kind},
    "around": set(Around),
    "rows": set(Seen),
    "catalogue": structure.CLUES,
}
WORDS = ("name", "explains", "fix")
MOST = 3  # hypotheses that fit equally well; more than that explain nothing
# What stands in suggested SQL where the target's own name is not known.
UNKNOWN = {
    "function": "the function",
    "table": "the_table",
    "trigger": "the_trigger",
    "trigger_table": "its_table",
    "trigger_function": "its_function()",
    "constraint": "the_constraint",
    "columns": "slot_id",
    "keys": "id",
    "parent": "public.pilates_schedule_slots",
    "policy": "the_policy",
    "policies": "those of the table",
    "action": "all",
    "confirmed": "confirmed",
    "cancelled": "cancelled",
    "member": "p_user_id",
    "class": "p_slot_id",
    "booking": "p_booking_id",
    "staff": "'secretary', 'admin'",
}


@dataclass(frozen=True)
class Hypothesis:
    """A pattern that fits, with the target's own names in its words."""

    name: str
    explains: str
    fix: str
    sql: str = ""
    weight: int = 0
    because: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Return it as ``case.json`` has it."""
        return asdict(self)


@cache
def patterns() -> list[dict[str, Any]]:
    """Read the patterns.

    Raises:
        SuiteError: when one lacks its words, or asks for something that is no clue.
    """
    entries: list[dict[str, Any]] = read_yaml(FILE)
    for entry in entries:
        name = entry.get("name", "a pattern without a name")
        lacking = [word for word in WORDS if word not in entry]
        strange = entry.keys() - WEIGHTS.keys() - {*WORDS, "sql"}
        if lacking or strange:
            raise SuiteError(f"{FILE}: {name}: {', '.join([*lacking, *sorted(strange)])}: is missing, or no clue.")
        for kind, known in KNOWN.items():
            for word in entry.get(kind, ()):
                if word not in known:
                    raise SuiteError(f"{FILE}: {name}.{kind}: {word!r} is none of {'; '.join(sorted(known))}.")
        _filled(entry, {})
    return entries


def rank(clues: Mapping[str, Any]) -> list[Hypothesis]:
    """List the hypotheses that the evidence leaves, the best first; several only where they fit equally well."""
    fitting = [one for entry in patterns() if (one := _fit(entry, clues)) is not None]
    fitting.sort(key=lambda one: -one.weight)
    return [one for one in fitting if one.weight == fitting[0].weight][:MOST]


def _fit(entry: Mapping[str, Any], clues: Mapping[str, Any]) -> Hypothesis | None:
    """Compare a pattern with the clues: of each kind that it names, one must be there."""
    names: dict[str, str] = dict(clues.get("names", {}))
    weight, because = 0, []
    for kind, worth in WEIGHTS.items():
        if kind not in entry:
            continue
        there = clues.get(kind, ())
        met = [word for word in entry[kind] if word in ([there] if isinstance(there, str) else there)]
        if not met:
            return None
        weight += UNDER_A_CONDITION if kind == "condition" and ALONE not in entry[kind] else worth
        if kind in ("rows", "catalogue", "around"):
            because.append(met[0])
        if isinstance(there, Mapping):
            names |= there[met[0]]
    words = _filled(entry, names)
    return Hypothesis(entry["name"], words["explains"], words["fix"], words["sql"], weight, because)


def _filled(entry: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """Put the target's names into a pattern's words.

    Raises:
        SuiteError: when a pattern asks for a name that no clue has.
    """
    try:
        return {
            key: str(entry.get(key, "")).format_map({**UNKNOWN, **names}).strip() for key in ("explains", "fix", "sql")
        }
    except (KeyError, ValueError, IndexError) as error:
        known = ", ".join(UNKNOWN)
        raise SuiteError(f"{FILE}: {entry['name']}: {error} is no name that is known; known are {known}.") from error
