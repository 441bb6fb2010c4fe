"""What an overlay does: the story is told upon the studio with it, until a chapter comes out otherwise than without.

The story is calls as PostgREST makes them, chapter by chapter. A mutant must differ somewhere in what the studio
answers or keeps; a control must not, apart from what a target may decide for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.prove.overlays import header
from tools.selftest.mutants.chapters import LIKELY
from tools.selftest.mutants.ground import Ground
from tools.selftest.mutants.overlays import CONTROLS, MUTANTS, names
from tools.studio.rules import apply_file

OUTSIDE = {"crash", "worker"}  # what shows only when something is killed or delivered: no story of calls tells of it


@pytest.fixture(scope="module")
def ground(town: Callable[[], str]) -> Iterator[Ground]:
    ground = Ground(town())
    yield ground
    ground.connection.close()


@pytest.fixture
def apply(ground: Ground) -> Iterator[Callable[[Path], None]]:
    yield lambda path: apply_file(ground.connection, path)
    ground.connection.rollback()
    ground.connection.cursor().execute("discard plans")  # else some keep a function that was taken back, inlined


@pytest.mark.parametrize("path", MUTANTS, ids=names(MUTANTS))
def test_a_mutant_does_something_else(path: Path, ground: Ground, apply: Callable[[Path], None]) -> None:
    apply(path)
    assert ground.fingerprint() != ground.plain
    head = header(path)
    if "race" not in head and head.get("needs") not in OUTSIDE:
        words = [head["family"], *head["id"].split("-")]
        likely = next((LIKELY[word] for word in words if word in LIKELY), "")
        assert bool(ground.differs(likely)) != ("equivalent" in head), "what it does, or that it does nothing"


@pytest.mark.parametrize("path", CONTROLS, ids=names(CONTROLS))
def test_a_control_does_the_same_in_another_way(path: Path, ground: Ground, apply: Callable[[Path], None]) -> None:
    apply(path)
    assert ground.fingerprint() != ground.plain
    assert ground.differs(free=True) == ""
