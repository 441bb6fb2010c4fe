"""Databases of a test's own, on the embedded studio's server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2

from acceptance.embedded import Studio


@contextmanager
def another_database(studio: Studio, name: str, template: str = "template_studio") -> Iterator[str]:
    """Make a database, a studio without rows unless told otherwise; yield its URL, and drop it.

    Args:
        studio: on its server.
        name: what the database's name begins with.
        template: what it is a copy of.
    """
    full = f"{name}_{uuid.uuid4().hex[:8]}"
    _administer(studio, f"create database {full} template {template}")
    try:
        yield studio.database_url.replace("/studio?", f"/{full}?")
    finally:
        _administer(studio, f"drop database {full} with (force)")


def _administer(studio: Studio, statement: str) -> None:
    with closing(psycopg2.connect(studio.database_url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


class Database:
    """A database, asked and written through one connection."""

    def __init__(self, url: str):
        self.url = url
        self.own = psycopg2.connect(url)
        self.own.autocommit = True

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.own.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def left(self, deposit_id: str) -> int:
        """Return how many classes a deposit has left."""
        [(left,)] = self.sql("select deposit_remaining from pilates_deposits where id = %s", deposit_id)
        return int(left)

    def close(self) -> None:
        self.own.close()
