"""The heads of the files in tools/mutants/ and tools/controls/: each says what it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from acceptance.invariants import described
from tools.prove.overlays import header
from tools.selftest.mutants.overlays import CONTROLS, MUTANTS, names

NEEDS = {"schedule", "fault", "calendar", "retry", "crash", "worker"}
FAMILIES = {
    "amount wrong",
    "calendar event",
    "caller check dropped",
    "comparison shifted",
    "condition dropped",
    "conflict clause changed",
    "definer or invoker",
    "durability",
    "early idempotent return removed",
    "exception swallowed",
    "idempotency scope",
    "interaction of factors",
    "lock order",
    "lock removed",
    "lock taken after the read",
    "lost update",
    "null caller",
    "order turned",
    "rare",
    "retry repeats a side effect",
    "row-level policy too narrow",
    "row-level policy too wide",
    "rule smuggled in",
    "statement deleted",
    "time zone or date",
    "trigger or cascade",
    "view or counter",
    "work split",
    "wrong row or trace",
}


def test_there_are_enough_and_each_once() -> None:
    ids = Counter([header(path)["id"] for path in [*MUTANTS, *CONTROLS]])
    assert [name for name, count in ids.items() if count > 1] == []
    assert len(MUTANTS) >= 66
    assert len(CONTROLS) >= 14
    assert {header(path)["family"] for path in MUTANTS} == FAMILIES


@pytest.mark.parametrize("path", [*MUTANTS, *CONTROLS], ids=names([*MUTANTS, *CONTROLS]))
def test_the_head_says_what_it_is(path: Path) -> None:
    head = header(path)
    assert head["id"] == path.stem
    if path in CONTROLS:
        assert head.keys() == {"id", "family", "why"}
        assert head["family"] == "control"
        return
    assert head.keys() - {"reference", "race", "needs", "equivalent"} == {
        "id",
        "family",
        "symptom",
        "invariants",
        "priority",
    }
    assert head["family"] in FAMILIES
    assert head["priority"] in {"P0", "P1", "P2"}
    assert set(head["invariants"].split(", ")) <= described().keys()
    assert head.get("race", "yes") == "yes"
    assert head.get("needs", "fault") in NEEDS
    assert all(len(line) <= 120 for line in path.read_text(encoding="utf-8").splitlines())
