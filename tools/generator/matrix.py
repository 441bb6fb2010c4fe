"""The test matrix of ``data/test_matrix.yaml``: factors, categories, actions, and which combinations are possible."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from acceptance.datafiles import DATA, devices, profiles, read_yaml
from acceptance.errors import SuiteError

FILE = DATA / "test_matrix.yaml"
CLASSES = ("normal", "edge", "admin")
FACTORS = ("device", "timezone", "state", "occupancy", "network", "when")
Row = dict[str, str]  # a level of every factor, plus "action", "user" (a profile) and "class" (the user's)


@dataclass(frozen=True)
class Action:
    """One action: what is so beforehand, and the steps; a step that is a tuple happens at the same time."""

    name: str
    category: str
    title: str
    given: tuple[str, ...]
    do: tuple[str | tuple[str, ...], ...]
    weight: float = 1.0
    only: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Matrix:
    """The whole file, checked."""

    factors: dict[str, dict[str, float]]
    categories: dict[str, dict[str, Any]]
    actions: dict[str, Action]
    constraints: tuple[dict[str, Any], ...]
    places: int
    taken: dict[str, int]
    full: dict[str, list[str]]
    orders: dict[str, dict[str, Any]]

    def levels(self, action: Action, factor: str) -> list[str]:
        """List the levels of a factor (or of "class") that an action may meet."""
        allowed = list(CLASSES) if factor == "class" else list(self.factors[factor])
        only = {**self.categories[action.category].get("only", {}), **action.only}
        chosen = only.get("user" if factor == "class" else factor, allowed)
        for rule in self.constraints:
            if rule["actions_with_given"] in action.given and factor in rule["unless"]:
                chosen = [level for level in chosen if level in rule["unless"][factor]]
        return [level for level in allowed if level in chosen]

    def users(self, action: Action, user_class: str) -> list[str]:
        """List the profiles of a class with which an action is possible."""
        only = {**self.categories[action.category].get("only", {}), **action.only}
        return [
            name
            for name, profile in profiles().items()
            if profile["class"] == user_class
            and name in only.get("profile", profiles())
            and (not _needs_a_booking(action) or usable(profile))
        ]


def usable(profile: dict[str, Any]) -> bool:
    """Tell whether a class can be booked from one of a profile's deposits."""
    return any(d["active"] and d["classes"] > 0 and not str(d["expires"]).startswith("-") for d in profile["deposits"])


def _needs_a_booking(action: Action) -> bool:
    return "the member has booked the class" in action.given


@cache
def load() -> Matrix:
    """Read the matrix.

    Raises:
        SuiteError: names the key that is missing, unknown or not a level.
    """
    document = read_yaml(FILE)
    for key in ("factors", "categories", "actions", "constraints", "places", "taken", "full", "orders"):
        if key not in document:
            raise SuiteError(f"{FILE}: {key}: is missing.")
    weights = {name: device.weight for name, device in devices().items()}
    factors = {"device": weights, **document["factors"]}
    if set(factors) != set(FACTORS):
        raise SuiteError(f"{FILE}: factors: expected {', '.join(FACTORS)}, found {', '.join(factors)}.")
    for name, category in document["categories"].items():
        for factor, levels in category.get("only", {}).items():
            known = {"user": CLASSES, "profile": profiles()}.get(factor, factors.get(factor, ()))
            for level in levels:
                if level not in known:
                    raise SuiteError(f"{FILE}: categories.{name}.only.{factor}: there is no level {level!r}.")
    actions = {
        name: _action(name, entry, document["categories"], factors) for name, entry in document["actions"].items()
    }
    return Matrix(
        factors,
        document["categories"],
        actions,
        tuple(document["constraints"]),
        document["places"],
        document["taken"],
        document["full"],
        document["orders"],
    )


def _action(
    name: str, entry: dict[str, Any], categories: dict[str, Any], factors: dict[str, dict[str, float]]
) -> Action:
    for key in ("category", "title", "do"):
        if key not in entry:
            raise SuiteError(f"{FILE}: actions.{name}.{key}: is missing.")
    if entry["category"] not in categories:
        raise SuiteError(f"{FILE}: actions.{name}.category: there is no category {entry['category']!r}.")
    for factor, levels in entry.get("only", {}).items():
        for level in levels:
            if level not in {"user": CLASSES, "profile": profiles()}.get(factor, factors.get(factor, ())):
                raise SuiteError(f"{FILE}: actions.{name}.only.{factor}: there is no level {level!r}.")
    do = tuple(tuple(step) if isinstance(step, list) else step for step in entry["do"])
    return Action(
        name,
        entry["category"],
        entry["title"],
        tuple(entry.get("given", ())),
        do,
        float(entry.get("weight", 1)),
        entry.get("only", {}),
    )
