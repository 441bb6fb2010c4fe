"""Factor by factor: which combinations of levels the generated cases met, and where the failures are.

Every case counts once in each pair of factors, so the sum of a table is always the run's; what tells is how the
failures gather in a table's cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

from tools.generator import coverage, matrix
from tools.report.results import Case

NAMES = ("action", *matrix.FACTORS, "class")
WORDS = {"timezone": "time zone", "class": "kind of user"}
FEWEST = 3  # cases in a cell before its share of failures says something


@dataclass
class Cell:
    """One pair of levels. ``possible`` is whether any case can have both."""

    possible: bool
    cases: int = 0
    failed: int = 0

    @property
    def share(self) -> float:
        """The share of failures."""
        return self.failed / self.cases if self.cases else 0.0


@dataclass
class Grid:
    """Two factors, one down and one across."""

    down: str
    across: str
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)

    @cached_property
    def possible(self) -> int:
        """How many pairs of levels there can be."""
        return sum(cell.possible for cell in self.cells.values())

    @cached_property
    def covered(self) -> int:
        """How many of them a judged case has."""
        return sum(cell.possible and cell.cases > 0 for cell in self.cells.values())

    @property
    def share(self) -> float:
        """The covered share of the possible pairs."""
        return self.covered / self.possible if self.possible else 1.0

    @cached_property
    def worst(self) -> tuple[tuple[str, str], Cell] | None:
        """The pair of levels in which the failures gather most; None where nothing failed."""
        failing = [item for item in self.cells.items() if item[1].failed]
        return max(failing, key=lambda item: (item[1].cases >= FEWEST, item[1].share, item[1].failed), default=None)

    @property
    def title(self) -> str:
        """The two factors in words."""
        return f"{WORDS.get(self.down, self.down)} \u00d7 {WORDS.get(self.across, self.across)}"


def grids(table: Mapping[str, Any], cases: list[Case]) -> dict[tuple[str, str], Grid]:
    """Count a run's judged cases by each pair of factors.

    Args:
        table: the generated cases, as ``cases.json`` holds them.
        cases: what came of them.

    Returns:
        The tables by the names of their two factors; empty where no case was generated.
    """
    plan = matrix.load()
    verdicts = {case.id: case.status for case in cases if case.status in ("PASS", "FAIL")}
    rows = [(_levels(plan, case), verdicts.get(case["test_id"])) for case in table.get("cases", ())]
    judged = [(levels, verdict) for levels, verdict in rows if levels and verdict]
    if not judged:
        return {}
    named = {case["category"] for case in table["cases"]}
    actions = [action for action in plan.actions.values() if action.category in named]
    # The kind of user occurs in the triples only; a pair that a possible case contains is part of a possible triple.
    triples = {item for item in coverage.feasible(plan, actions) if len(item) == len(("action", "class", "device"))}
    pairs = {pair for triple in triples for pair in combinations(triple, 2)}
    order = {name: list(plan.factors[name]) for name in matrix.FACTORS}
    order["action"] = [action.name for action in actions]
    order["class"] = list(matrix.CLASSES)
    named_pairs: dict[frozenset[str], list[dict[str, str]]] = defaultdict(list)
    for pair in map(dict, pairs):
        named_pairs[frozenset(pair)].append(pair)
    found = {}
    for down, across in combinations(NAMES, 2):
        possible = {tuple(levels[name] for name in (down, across)) for levels in named_pairs[frozenset((down, across))]}
        grid = Grid(down, across)
        grid.rows = [level for level in order[down] if any(level == one for one, _ in possible)]
        grid.columns = [level for level in order[across] if any(level == other for _, other in possible)]
        grid.cells = {(r, c): Cell((r, c) in possible) for r in grid.rows for c in grid.columns}
        for levels, verdict in judged:
            cell = grid.cells.get((levels[down], levels[across]))
            if cell:
                cell.cases += 1
                cell.failed += verdict == "FAIL"
        found[down, across] = grid
    return found


def _levels(plan: matrix.Matrix, case: Mapping[str, Any]) -> dict[str, str] | None:
    """Read a case's levels from its record; None for a race in a stated order, which the matrix does not draw."""
    if case["action"] not in plan.actions:
        return None
    taken = {places: name for name, places in plan.taken.items()}
    return {
        "action": case["action"],
        "class": case["user"]["class"],
        "device": case["device"],
        "timezone": case["timezone"],
        # A profile without a deposit may be drawn as having what it has: the scenario knows which of both was meant.
        "state": "no deposit" if "And the member has no deposit" in case["scenario"] else "has deposit",
        "occupancy": taken.get(case["class"]["taken"], "empty"),
        "network": case["network_condition"],
        "when": case["class"]["when"],
    }
