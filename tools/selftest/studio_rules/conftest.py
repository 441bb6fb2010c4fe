"""The town in which the rules are tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from acceptance.embedded import Studio
from tools.selftest.calls import EMPTY
from tools.selftest.databases import another_database
from tools.selftest.studio_rules.town import Town


@pytest.fixture(scope="package")
def place(studio: Studio) -> Iterator[str]:
    """One database for all tests here; a new one for each would take most of the time."""
    with another_database(studio, "rules") as url:
        yield url


@pytest.fixture
def town(place: str) -> Iterator[Town]:
    town = Town(place)
    yield town
    town.sql(EMPTY)
    town.close()
