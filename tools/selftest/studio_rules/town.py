"""A town: a database of its own with people, classes and calls in somebody's name."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the class is spelt in lower case

from tools.selftest.calls import FUNCTIONS, act_as
from tools.selftest.databases import Database

ROLES = {"anna": "user", "bob": "user", "tom": "trainer", "sue": "secretary", "eve": "admin"}


class Town(Database):
    """A database of its own with people, classes and calls in somebody's name."""

    def __init__(self, url: str):
        super().__init__(url)
        self.people: dict[str, str] = {}
        self.minutes = 0
        for name, role in ROLES.items():
            self.people[name] = str(uuid.uuid4())
            row = (self.people[name], f"{name}@example.test", role)
            self.sql("insert into user_profiles (user_id, email, role) values (%s, %s, %s)", *row)

    @contextmanager
    def connect(self) -> Iterator[Cursor]:
        """Begin a transaction, and take it back unless it was committed."""
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def acting(self, who: str | None) -> Iterator[Cursor]:
        """Begin a transaction with somebody's rights, and take it back."""
        with self.connect() as cursor:
            act_as(cursor, self.people[who] if who else None)
            yield cursor

    def slot(self, capacity: int = 1, starts: str = "1 day", active: bool = True) -> str:
        self.minutes += 1
        (row,) = self.sql(
            "with t as (select (now() + %s::interval) at time zone 'Europe/Athens' + %s * interval '1 ms' as at)"
            " insert into pilates_schedule_slots (date, start_time, end_time, max_capacity, is_active)"
            " select at::date, at::time, '23:59:59.999999', %s, %s from t returning id::text",
            starts,
            self.minutes,
            capacity,
            active,
        )
        return str(row[0])

    def deposit(self, who: str, classes: int, *, expires: str | None = "30 days", active: bool = True) -> str:
        (row,) = self.sql(
            "insert into pilates_deposits (user_id, classes_credited, deposit_remaining, expires_at, is_active)"
            " values (%s, %s, %s, now() + %s::interval, %s) returning id::text",
            self.people[who],
            classes,
            classes,
            expires,
            active,
        )
        return str(row[0])

    def call(self, who: str | None, what: str, *values: Any, key: str | None = None, zone: str = "UTC") -> Any:
        """Call a function as PostgREST does; returns its row, or what the refusal says."""
        headers = {"x-trace-id": f"trace-{who}", "x-actor": who} | ({"idempotency-key": key} if key is not None else {})
        with self.connect() as cursor:
            user_id = self.people.get(who, who) if who else None
            act_as(cursor, user_id, {"request.headers": json.dumps(headers), "timezone": zone})
            try:
                cursor.execute(FUNCTIONS[what], values)
                [row] = cursor.fetchall()
                cursor.connection.commit()
            except psycopg2.Error as error:
                return f"{error.pgcode} {error.diag.message_primary}"
        return row[0] if len(row) == 1 else row

    def book(self, who: str, slot_id: str, *, by: str | None = None, **more: Any) -> Any:
        return self.call(by or who, "book", self.people[who], slot_id, **more)
