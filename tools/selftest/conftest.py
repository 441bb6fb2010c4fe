"""What the self-tests share: the embedded studio, as a user has it, and a connection to its database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import embedded

ROOT = Path(__file__).resolve().parents[2]
SUPERVISOR = ROOT / "tools" / "studio" / "supervisor.py"


@pytest.fixture(scope="session")
def studio() -> Iterator[embedded.Studio]:
    studio = embedded.attach(SUPERVISOR)
    yield studio
    studio.close()


@pytest.fixture
def db(studio: embedded.Studio) -> Iterator[Connection]:
    connection = psycopg2.connect(studio.database_url)
    connection.autocommit = True
    yield connection
    connection.close()
