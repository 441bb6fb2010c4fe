"""Databases to try overlays on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from acceptance.embedded import Studio
from tools.selftest.databases import another_database


@pytest.fixture(scope="package")
def town(studio: Studio) -> Iterator[Callable[[], str]]:
    """Make databases of the studio's template, and drop them afterwards; gives the URL of a new one."""
    with ExitStack() as made:
        yield lambda: made.enter_context(another_database(studio, "mutants"))
