"""The network of these tests, and a trace of each test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tools.selftest.network.running import Case, Running, start, stop


@pytest.fixture(scope="package")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = start(tmp_path_factory.mktemp("home"))
    yield running
    stop(running)


@pytest.fixture
def case(net: Running, session: requests.Session) -> Case:
    return Case(net, session)
