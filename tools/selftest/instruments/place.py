"""A place: a database with the instruments in it, and calls that meet them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg2

from acceptance import instruments, schedule
from acceptance.instruments import Stop
from acceptance.schedule import Scheduler
from tools.selftest.databases import Database
from tools.studio.processes import wait_until

LOST = "connection lost"


class Place(Database):
    """A database of its own with the instruments in it."""

    def __init__(self, url: str):
        super().__init__(url)
        self.pool = ThreadPoolExecutor(8)
        self.trace = str(uuid.uuid4())

    def member(self, classes: int = 5) -> tuple[str, str]:
        user, deposit = str(uuid.uuid4()), str(uuid.uuid4())
        self.sql("insert into user_profiles (user_id, email) values (%s, %s)", user, user)
        row = (deposit, user, classes, classes)
        self.sql(
            "insert into pilates_deposits (id, user_id, classes_credited, deposit_remaining) values (%s, %s, %s, %s)",
            *row,
        )
        return user, deposit

    def slot(self, capacity: int = 1) -> str:
        at = time.monotonic_ns() // 1000 % 86_400_000_000
        (row,) = self.sql(
            "insert into pilates_schedule_slots (date, start_time, end_time, max_capacity) values"
            " (current_date + 9, time '00:00' + %s * interval '1 microsecond', '23:59:59', %s) returning id::text",
            at,
            capacity,
        )
        return str(row[0])

    def call(
        self, actor: str, text: str, *values: Any, trace: str = "", level: str = "", name: str = ""
    ) -> Callable[[], Any]:
        """Make a task that calls as PostgREST does, and returns its value or the error's code."""

        def task() -> Any:
            headers = {"x-trace-id": trace or self.trace, "x-actor": actor, "x-fault-plan": "yes"}
            with closing(psycopg2.connect(self.url, application_name=name or "test")) as connection:
                if level:
                    connection.set_session(isolation_level=level)
                with connection.cursor() as cursor:
                    try:
                        if not name:
                            cursor.execute("select set_config('request.headers', %s, true)", (json.dumps(headers),))
                        cursor.execute(text, values or None)
                        value = cursor.fetchall()[0][0] if cursor.description else None
                        connection.commit()
                    except psycopg2.Error as error:
                        return error.pgcode or LOST
            return value

        return task

    def scheduler(self) -> Scheduler:
        return Scheduler(self.own, self.pool.submit, self.trace)

    def waits(self, count: int = 1) -> None:
        """Wait until so many calls stand at gates."""
        assert wait_until(lambda: sum(one.gate is not None for one in instruments.waiting(self.own)) == count, 20)


def single(
    place: Place, text: str, *stops: Stop, values: Sequence[Any] = (), **more: Any
) -> tuple[Any, schedule.Course]:
    """Run one call under planned faults."""
    scheduler = place.scheduler()
    task = place.call("anna", text, *values, **more)
    (answer,) = scheduler.run({"anna": ("anna", "no function", task)}, [], {"anna": stops})
    return answer, scheduler.course
