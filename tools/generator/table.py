"""Makes the table of cases: records in the seed's format, the same bytes for the same seed."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from acceptance.datafiles import profiles
from acceptance.errors import SuiteError
from tools.generator import coverage, matrix, orders
from tools.generator.matrix import FACTORS, Action, Matrix, Row
from tools.generator.story import Story

VERSION = 1
MOST_CASES = 20_000
FOR_ORDERS = {1: 1_247, 2: 5_000}  # from how many cases on races are made in every order, with one stop and with two


def generate(
    count: int = 1247,
    seed: int = 20251024,
    *,
    category: str | None = None,
    full: bool = False,
    env: str = "embedded",
) -> dict[str, Any]:
    """Make a table of cases.

    Args:
        count: how many, 1 to 20,000.
        seed: the same seed gives the same table.
        category: only this one; then all cases are of it.
        full: every possible combination of the product in ``data/test_matrix.yaml`` instead of ``count`` cases.
        env: the environment that the records name.

    Returns:
        ``generator`` (seed, count, version), ``coverage`` (pairs and triples covered and possible) and ``cases``.

    Raises:
        SuiteError: when the count is out of range, the category unknown or the matrix malformed.
    """
    if not 1 <= count <= MOST_CASES:
        raise SuiteError(f"a run has 1 to {MOST_CASES:,} cases, not {count:,}.")
    plan = matrix.load()
    if category is not None and category not in plan.categories:
        raise SuiteError(f"there is no category {category!r}; known: {', '.join(plan.categories)}.")
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
    names = [category] if category else list(plan.categories)
    if full:
        rows = {name: [r for r in _product(plan) if plan.actions[r["action"]].category == name] for name in names}
    else:
        rows = coverage.choose(plan, share(count, {name: plan.categories[name]["count"] for name in names}), rng)
        for group in rows.values():
            rng.shuffle(group)
    ordered = spread(rows)
    actions = [action for action in plan.actions.values() if action.category in names]
    turns: Counter[str] = Counter()
    records = []
    for number, row in enumerate(ordered, 1):
        action = plan.actions[row["action"]]
        records.append(_record(plan, f"T-{number:06d}", row, action, turns[action.name], rng, env))
        turns[action.name] += 1
    covered = coverage.measure(ordered, coverage.feasible(plan, actions))
    stops = 0 if full or category not in (None, orders.BELONGS_TO) or count < FOR_ORDERS[1] else 1
    stops = 2 if stops and count >= FOR_ORDERS[2] else stops
    chosen = []
    for number in (1, 2):
        possible = orders.tell(plan, number)
        taken = possible if number <= stops else []
        covered[f"orders with {number} stop{'s' * (number > 1)}"] = {"covered": len(taken), "possible": len(possible)}
        chosen += taken
    for number, (row, action) in enumerate(chosen, 1):
        records.append(_record(plan, f"T-ORDER-{number:04d}", row, action, 0, rng, env))
    return {
        "generator": {"seed": seed, "count": len(records), "version": VERSION, "full": full},
        "coverage": covered,
        "cases": records,
    }


def share(count: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Share a count out in proportion, by the largest remainder."""
    total = sum(weights.values())
    exact = {name: count * weight / total for name, weight in weights.items()}
    shares = {name: int(value) for name, value in exact.items()}
    for name in sorted(exact, key=lambda name: shares[name] - exact[name])[: count - sum(shares.values())]:
        shares[name] += 1
    return shares


def spread(rows: Mapping[str, list[Row]]) -> list[Row]:
    """Mix the categories evenly, so that costly ones meet every worker's slice of the files."""
    placed = [((n + 0.5) / len(group), name, row) for name, group in rows.items() for n, row in enumerate(group)]
    return [row for _, _, row in sorted(placed, key=lambda item: item[:2])]


def _product(plan: Matrix) -> list[Row]:
    """List the possible part of the full product; the factors that it leaves out take their weightiest level."""
    rows = []
    for user, device, zone, name, state in product(
        profiles(), plan.full["device"], plan.factors["timezone"], plan.full["action"], plan.factors["state"]
    ):
        action = plan.actions[name]
        user_class = profiles()[user]["class"]
        row = {factor: max(plan.factors[factor], key=plan.factors[factor].__getitem__) for factor in FACTORS}
        row |= {"action": name, "user": user, "class": user_class, "device": device, "timezone": zone, "state": state}
        if user in plan.users(action, user_class) and all(row[f] in plan.levels(action, f) for f in FACTORS):
            rows.append(row)
    return rows


def _record(
    plan: Matrix, test_id: str, row: Row, action: Action, turn: int, rng: random.Random, env: str
) -> dict[str, Any]:
    story = Story(plan, row, turn)
    story.tell(action)
    return record(plan, story, test_id, action, rng, env)


def record(plan: Matrix, story: Story, test_id: str, action: Action, rng: random.Random, env: str) -> dict[str, Any]:
    """Make the record of a story that has been told.

    Args:
        plan: the matrix it was told by.
        story: the scenario with its row.
        test_id: the case's id.
        action: gives category, name and title.
        rng: makes the case's seed and ids.
        env: the environment that the record names.
    """
    row = story.row
    profile = profiles()[row["user"]]
    deposits = profile["deposits"] if row["state"] == "has deposit" else []
    day, time = _day_and_time(row["when"])
    return {
        "test_id": test_id,
        "seed": rng.getrandbits(31),
        "trace_id": _uuid(rng),
        "env": env,
        "category": action.category,
        "priority": plan.categories.get(action.category, orders.SETTINGS)["priority"].upper(),
        "user": {
            "user_id": _uuid(rng),
            "profile": row["user"],
            "class": row["class"],
            "role": profile["role"],
            "has_deposit": bool(deposits),
            "deposit_amount": sum(deposit["classes"] for deposit in deposits),
        },
        "device": row["device"],
        "timezone": row["timezone"],
        "class": {
            "slot_id": _uuid(rng),
            "when": row["when"],
            "date": day,
            "time": time,
            "capacity": plan.places,
            "taken": plan.taken[row["occupancy"]],
        },
        "action": action.name,
        "title": action.title,
        "sequence": story.sequence,
        "concurrent_actors": story.actors,
        "schedule": " | ".join(story.order) or None,
        "network_condition": row["network"],
        "failure_injection": {"type": story.faults, "timing": "next request"} if story.faults else None,
        "assertions": ["answers", "deposit", "calendar", "visibility", "audit"],
        "scenario": story.lines,
    }


def _day_and_time(when: str) -> tuple[str, str]:
    """Write a start relative to the day of the run: a table never goes stale."""
    words, _, clock = when.partition(" at ")
    if not clock:
        return "now", f"-{words.removesuffix(' ago')}" if words.endswith("ago") else f"+{words.removeprefix('in ')}"
    day = {"tomorrow": "+1d", "on the next spring clock change": "spring", "on the next autumn clock change": "autumn"}
    return day.get(words, f"+{words}"), clock


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def write_table(table: dict[str, Any], path: Path) -> None:
    """Write a table as JSON, one case a line."""
    head = {key: value for key, value in table.items() if key != "cases"}
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in table["cases"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(head)[:-1] + ',\n"cases": [\n' + lines + "\n]}\n", encoding="utf-8")
