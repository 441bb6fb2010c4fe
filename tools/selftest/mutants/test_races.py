"""What only shows when calls meet: told by two connections and more, in a database of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.prove.overlays import header
from tools.selftest.mutants.meetings import MEETINGS, RACES, meet_on
from tools.selftest.mutants.overlays import CONTROLS, MUTANTS, TOOLS, names


def test_each_race_has_its_meeting() -> None:
    assert sorted(RACES) == [path.stem for path in MUTANTS if "race" in header(path)]


@pytest.fixture(scope="module")
def usual(town: Callable[[], str]) -> dict[str, list[str]]:
    return meet_on(town(), MEETINGS)


@pytest.mark.parametrize("name", RACES)
def test_a_race_is_lost_each_time(name: str, town: Callable[[], str], usual: dict[str, list[str]]) -> None:
    found = meet_on(town(), [RACES[name]], TOOLS / "mutants" / f"{name}.sql")
    assert found[RACES[name]] != usual[RACES[name]]


LOCKS = [path for path in CONTROLS if re.search(r"lock|conditional|revived|counter|unique|absolute", path.stem)]


@pytest.mark.parametrize("path", LOCKS, ids=names(LOCKS))
def test_a_control_wins_every_race(path: Path, town: Callable[[], str], usual: dict[str, list[str]]) -> None:
    found = meet_on(town(), MEETINGS, path)
    assert {name: plainly(told) for name, told in found.items()} == {
        name: plainly(told) for name, told in usual.items()
    }


def plainly(told: list[str]) -> list[str]:
    """Leave out what may differ: who came first among those who waited, the words, and the numbers of rows."""
    return sorted(line for line in told if line.startswith(("deposit", "booking", "shown")) and "cancelled" not in line)
