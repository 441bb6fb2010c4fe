"""The clone of these tests, and the system behind its URLs: a studio of the clone's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from acceptance import embedded
from tools.selftest.by_url.theirs import RIGHTS, SUITE
from tools.selftest.by_url.users import profiles
from tools.selftest.clone import make_clone


@pytest.fixture(scope="package")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clone(tmp_path_factory.mktemp("by-url") / "clone", suites=[SUITE, RIGHTS])


@pytest.fixture(scope="package")
def behind(clone: Path) -> Iterator[embedded.Studio]:
    """The system behind the front: an embedded studio of the clone's own."""
    with closing(embedded.attach(clone / "tools" / "studio" / "supervisor.py")) as studio:
        yield studio


@pytest.fixture
def users(behind: embedded.Studio) -> Iterator[dict[str, str]]:
    with profiles(behind) as ids:
        yield ids
