"""A place with the instruments, which must be left without any plan and gate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from acceptance import instruments
from acceptance.embedded import Studio
from tools.selftest.databases import another_database
from tools.selftest.instruments.place import Place

RULES = Path(__file__).parent / "rules.sql"


@pytest.fixture(scope="package")
def url(studio: Studio) -> Iterator[str]:
    with another_database(studio, "instruments") as url:
        yield url


@pytest.fixture(scope="package")
def ready(url: str) -> str:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        instruments.install(connection)
        with connection.cursor() as cursor:
            cursor.execute(RULES.read_text())
    return url


@pytest.fixture
def place(ready: str) -> Iterator[Place]:
    place = Place(ready)
    instruments.install(place.own)
    yield place
    place.pool.shutdown()
    assert place.sql("select count(*) from acceptance.plan") == [(0,)]
    held = (
        "select count(*) from pg_locks where locktype = 'advisory' and classid::bigint = %s and pid = pg_backend_pid()"
    )
    assert place.sql(held, instruments.GATES) == [(0,)]
    place.close()
