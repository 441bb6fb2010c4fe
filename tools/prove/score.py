"""The score of a proof: how many mutants the suite has killed, which survived, and which invariant found what."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from tools.prove.overlays import CONTROL
from tools.prove.trial import EXPECTATION, Outcome, Verdict

SLOWEST = 10
ALIVE = (Outcome.SURVIVED, Outcome.FLAKY)


def figures(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Count what came of mutants and controls; the score is killed / non-equivalent, of those that could be tried."""
    mutants = [one for one in verdicts if one.family != CONTROL]
    controls = [one for one in verdicts if one.family == CONTROL]
    counts = Counter(one.outcome for one in mutants)
    counted = counts[Outcome.KILLED] + sum(counts[outcome] for outcome in ALIVE)
    return {
        "mutants": len(mutants),
        "killed": counts[Outcome.KILLED],
        "survived": sum(counts[outcome] for outcome in ALIVE),
        "equivalent": counts[Outcome.EQUIVALENT],
        "not_equivalent": counts[Outcome.DIFFERENT],
        "broken": sum(one.outcome is Outcome.BROKEN for one in verdicts),
        "score": counts[Outcome.KILLED] / counted if counted else None,
        "controls": len(controls),
        "green": sum(one.outcome is Outcome.GREEN for one in controls),
        "red": sum(one.outcome is Outcome.RED for one in controls),
        "not_exercised": sum(len(one.not_exercised) for one in verdicts),
    }


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Return 0 when all is found and nothing is red, 1 otherwise, 2 when something could not be tried."""
    found = figures(verdicts)
    if found["broken"] or not verdicts:
        return 2
    return 1 if found["survived"] or found["red"] or found["not_equivalent"] else 0


def matrix(verdicts: Sequence[Verdict]) -> dict[str, dict[str, int]]:
    """Count by family which invariants broke at the kill; one kill may break several."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for one in verdicts:
        if one.outcome is Outcome.KILLED:
            table[one.family].update(one.broke)
    return {family: dict(row) for family, row in sorted(table.items())}


def summary(verdicts: Sequence[Verdict], seconds: float) -> list[str]:
    """Say the score in a few lines."""
    found = figures(verdicts)
    lines = []
    if found["mutants"]:
        share = f"{found['score']:.1%}" if found["score"] is not None else "no score"
        lines.append(
            f"Mutants: {found['killed']} of {found['killed'] + found['survived']} killed ({share}),"
            f" {found['equivalent']} equivalent; {seconds:.0f} s."
        )
    if found["controls"]:
        lines.append(f"Controls: {found['green']} of {found['controls']} green, {found['red']} red.")
    if found["not_exercised"]:
        number = sum(bool(one.not_exercised) for one in verdicts)
        lines.append(f"Not exercised: {found['not_exercised']} tests of {number} overlays, neither found nor passed.")
    for outcome in (*ALIVE, Outcome.RED, Outcome.DIFFERENT, Outcome.BROKEN):
        for one in verdicts:
            if one.outcome is outcome:
                words = one.words or "; ".join([*one.flaky, *one.errors[:1]]) if outcome not in ALIVE else one.symptom
                lines.append(f"  {outcome}: {one.id}: {words}")
    return lines


def write(place: Path, verdicts: Sequence[Verdict], seconds: float) -> Path:
    """Write ``prove.json`` and ``prove.md`` into a run's folder, and return the latter."""
    found = {
        **figures(verdicts),
        "seconds": round(seconds, 1),
        "matrix": matrix(verdicts),
        "overlays": [one.as_dict() for one in verdicts],
    }
    (place / "prove.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    path = place / "prove.md"
    path.write_text("\n".join(_page(verdicts, seconds)) + "\n", encoding="utf-8")
    return path


def _page(verdicts: Sequence[Verdict], seconds: float) -> list[str]:
    lines = ["# What the suite would have found", "", *[f"{line}\n" for line in summary(verdicts, seconds)]]
    alive = [one for one in verdicts if one.outcome in ALIVE]
    lines += ["## Survivors", ""]
    lines += [f"- **{one.id}** ({one.family}, {one.outcome}): {one.symptom}" for one in alive] or ["None."]
    for title, outcome in (("Equivalent", Outcome.EQUIVALENT), ("Said to be equivalent, and found", Outcome.DIFFERENT)):
        some = [one for one in verdicts if one.outcome is outcome]
        if some:
            lines += ["", f"## {title}", "", *[f"- **{one.id}**: {one.reason}" for one in some]]
    for title, outcome in (("Controls that are red", Outcome.RED), ("Could not be tried", Outcome.BROKEN)):
        some = [one for one in verdicts if one.outcome is outcome]
        if some:
            lines += ["", f"## {title}", ""]
            lines += [f"- **{one.id}**: {one.test} {one.words or '; '.join(one.errors[:2])}" for one in some]
    missed = [one for one in verdicts if one.not_exercised]
    if missed:
        words = "Tests whose planned disturbance never took place, as the overlay does the same in another way:"
        lines += ["", "## Not exercised", "", words, ""]
        lines += [f"- **{one.id}**: {', '.join(name.split()[0] for name in one.not_exercised)}" for one in missed]
    lines += ["", "## By family", "", *_families(verdicts), "", "## Kill matrix", ""]
    lines += ["How many mutants of a family broke which invariant, in the test that found them first.", ""]
    lines += _matrix(verdicts)
    slow = sorted(verdicts, key=lambda one: -one.seconds)[:SLOWEST]
    lines += ["", "## Slowest", "", "| overlay | seconds | tests |", "|---|---|---|"]
    lines += [f"| {one.id} | {one.seconds:.1f} | {one.tests} |" for one in slow]
    lines += ["", "## All", "", "| overlay | outcome | by | broke | seconds |", "|---|---|---|---|---|"]
    for one in sorted(verdicts, key=lambda one: one.id):
        test = one.test.partition(" ")[0]
        lines.append(f"| {one.id} | {one.outcome} | {test} | {', '.join(one.broke)} | {one.seconds:.1f} |")
    return lines


def _families(verdicts: Sequence[Verdict]) -> list[str]:
    lines = ["| family | mutants | killed | survived | equivalent |", "|---|---|---|---|---|"]
    for family in sorted({one.family for one in verdicts if one.family != CONTROL}):
        found = figures([one for one in verdicts if one.family == family])
        keys = ("mutants", "killed", "survived", "equivalent")
        lines.append(f"| {family} | {' | '.join(str(found[key]) for key in keys)} |")
    return lines


def table(verdicts: Sequence[Verdict]) -> Table:
    """Return the kill matrix for a screen: by family, how many mutants broke which invariant."""
    rows = matrix(verdicts)
    columns = sorted({name for row in rows.values() for name in row}, key=_place)
    found = Table("Family", *columns, title="Kill matrix", box=box.SIMPLE)
    for family, row in rows.items():
        found.add_row(family, *(str(row.get(name, "")) for name in columns))
    return found


def _matrix(verdicts: Sequence[Verdict]) -> list[str]:
    table = matrix(verdicts)
    columns = sorted({name for row in table.values() for name in row}, key=_place)
    lines = [f"| family | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for family, row in table.items():
        lines.append(f"| {family} | {' | '.join(str(row.get(name, '')) for name in columns)} |")
    total = Counter(name for row in table.values() for name, count in row.items() for _ in range(count))
    lines.append(f"| all | {' | '.join(str(total[name]) for name in columns)} |")
    return lines


def _place(name: str) -> int:
    return 99 if name == EXPECTATION else int(name[1:])
