"""Chooses which combinations become cases, and measures what they cover.

The library ``covertable`` makes one covering array per action: all pairs of levels of the other factors, so all
triples with the action. Then rows are added, each the best of a few drawn by weight, until every pair with a user's
profile and every triple without the action is covered; what is left of the count is drawn by weight.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, combinations

from covertable import make, sorters

from tools.generator.matrix import FACTORS, Action, Matrix, Row

CANDIDATES = 12
PAIRED = ("action", "user", *FACTORS)
TRIPLED = ("action", "class", *FACTORS)
Tuple = tuple[tuple[str, str], ...]


def tuples(row: Row) -> Iterable[Tuple]:
    """List what a row covers: the pairs over every factor, and the triples over every factor but the user."""
    paired, tripled = ([(name, row[name]) for name in names] for names in (PAIRED, TRIPLED))
    return chain(combinations(paired, 2), combinations(tripled, 3))


def feasible(matrix: Matrix, actions: Sequence[Action]) -> set[Tuple]:
    """List every pair and triple that some possible case contains.

    Within one action the levels of the factors combine freely, so the union over the actions is exact.
    """
    found: set[Tuple] = set()
    for action in actions:
        levels = {factor: matrix.levels(action, factor) for factor in (*FACTORS, "class")}
        users = {name: matrix.users(action, name) for name in levels["class"]}
        levels["class"] = [name for name in levels["class"] if users[name]]
        levels["action"] = [action.name]
        levels["user"] = [user for name in levels["class"] for user in users[name]]
        for names, size in ((PAIRED, 2), (TRIPLED, 3)):
            for chosen in combinations(names, size):
                found.update(_product(chosen, levels))
    return found


def _product(names: Sequence[str], levels: dict[str, list[str]]) -> Iterable[Tuple]:
    if not names:
        yield ()
        return
    for rest in _product(names[1:], levels):
        for level in levels[names[0]]:
            yield ((names[0], level), *rest)


def measure(rows: Iterable[Row], wanted: set[Tuple]) -> dict[str, dict[str, int]]:
    """Count how many of the wanted pairs and triples the rows cover."""
    covered = {item for row in rows for item in tuples(row)} & wanted
    return {
        name: {"covered": sum(len(t) == size for t in covered), "possible": sum(len(t) == size for t in wanted)}
        for name, size in (("pairs", 2), ("triples", 3))
    }


def choose(matrix: Matrix, counts: Mapping[str, int], rng: random.Random) -> dict[str, list[Row]]:
    """Choose rows for each category, covering together as much as the counts allow.

    Args:
        matrix: the test matrix.
        counts: how many rows of each category.
        rng: the source of everything random.

    Returns:
        The rows by category.
    """
    picker = _Picker(matrix, [action for action in matrix.actions.values() if action.category in counts], rng)
    rows: dict[str, list[Row]] = {}
    for name, count in counts.items():
        arrays = [_array(matrix, action) for action in picker.actions if action.category == name]
        longest = max(len(array) for array in arrays)
        # Take the arrays in turn: a count too small for all of them still meets every action.
        base = [array[n] for n in range(longest) for array in arrays if n < len(array)]
        rows[name] = [picker.take(picker.with_user(row)) for row in base[:count]]
    for name, count in counts.items():
        rows[name] += [picker.take(picker.best(name)) for _ in range(count - len(rows[name]))]
    return rows


def _array(matrix: Matrix, action: Action) -> list[Row]:
    """Make the covering array of one action: all pairs of the levels it may meet."""
    factors = {factor: matrix.levels(action, factor) for factor in FACTORS}
    rows = make(factors, strength=2, sorter=sorters.hash, salt=action.name)
    return [{**row, "action": action.name} for row in rows]


class _Picker:
    """Draws rows by weight and keeps what is still to be covered."""

    def __init__(self, matrix: Matrix, actions: Sequence[Action], rng: random.Random):
        self.matrix, self.actions, self.rng = matrix, list(actions), rng
        self.missing = feasible(matrix, actions)
        self.nothing_to_gain = False  # for the category at work: what is missing, others must cover
        self.goals = rng.sample(sorted(self.missing), len(self.missing))
        self.levels = {a.name: {factor: matrix.levels(a, factor) for factor in FACTORS} for a in actions}
        self.users = {
            a.name: {user: c for c in matrix.levels(a, "class") for user in matrix.users(a, c)} for a in actions
        }
        self.met = {a.name: Counter(dict.fromkeys(self.users[a.name], 0)) for a in actions}

    def take(self, row: Row) -> Row:
        """Count a row as chosen."""
        self.met[row["action"]][row["user"]] += 1
        if self.missing:
            self.missing.difference_update(tuples(row))
        return row

    def gain(self, row: Row) -> int:
        """Count what a row covers that is still missing."""
        return len(self.missing.intersection(tuples(row)))

    def with_user(self, row: Row) -> Row:
        """Give a row a profile that its action has met least; among these, the one that covers most."""
        users, met = self.users[row["action"]], self.met[row["action"]]
        fewest = min(met.values())
        least_met = [user for user in users if met[user] == fewest]
        if self.nothing_to_gain:
            user = self.rng.choice(least_met)
            return {**row, "user": user, "class": users[user]}
        return max(({**row, "user": user, "class": users[user]} for user in least_met), key=self.gain)

    def best(self, category: str) -> Row:
        """Return the row that covers most of what is missing, among a few built around missing pieces."""
        actions = [action for action in self.actions if action.category == category]
        rows = []
        self.nothing_to_gain = False
        self.goals = [goal for goal in self.goals if goal in self.missing]
        for goal in self.goals:
            fitting = [action for action in actions if self.fits(action, dict(goal))]
            if fitting:
                rows.append(self.draw(dict(goal), fitting))
            if len(rows) == CANDIDATES:
                break
        self.nothing_to_gain = not rows
        return max(rows, key=self.gain) if rows else self.draw({}, actions)

    def fits(self, action: Action, goal: Row) -> bool:
        """Tell whether an action may meet all levels of a goal."""
        users, levels = self.users[action.name], self.levels[action.name]
        for factor, level in goal.items():
            if factor == "action":
                possible = level == action.name
            elif factor == "user":
                possible = level in users
            elif factor == "class":
                possible = level in users.values()
            else:
                possible = level in levels[factor]
            if not possible:
                return False
        return True

    def draw(self, goal: Row, actions: Sequence[Action]) -> Row:
        """Draw a row by weight, keeping the levels of the goal."""
        action = self.rng.choices(actions, [choice.weight for choice in actions])[0]
        row = {"action": action.name}
        for factor in FACTORS:
            levels = self.levels[action.name][factor]
            weights = [self.matrix.factors[factor][level] for level in levels]
            row[factor] = goal.get(factor) or self.rng.choices(levels, weights)[0]
        users = self.users[action.name]
        if "user" in goal:
            return {**row, "user": goal["user"], "class": users[goal["user"]]}
        if "class" in goal:
            met = self.met[action.name]
            user = min((u for u in users if users[u] == goal["class"]), key=met.__getitem__)
            return {**row, "user": user, "class": goal["class"]}
        return self.with_user(row)
