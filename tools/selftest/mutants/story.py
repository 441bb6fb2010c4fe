"""A story: calls and rows upon one connection, and what came of them."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from tools.selftest.calls import FUNCTIONS, act_as

ROLES = {"anna": "user", "bob": "user", "cleo": "user", "tom": "trainer", "sue": "secretary", "eve": "admin"}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
STATE = """
select 'deposit ' || json_build_array(id, user_id, classes_credited, deposit_remaining, is_active,
  date_trunc('day', expires_at))::text from pilates_deposits
union all select 'booking ' || json_build_array(user_id, slot_id, deposit_id, status, id)::text from pilates_bookings
union all select 'class ' || json_build_array(id, max_capacity, is_active)::text from pilates_schedule_slots
union all select 'shown ' || json_build_array(slot_id, date, start_time, max_capacity, is_active,
  booked_count, starts_at)::text from pilates_slots_with_occupancy
union all select 'entry ' || json_build_array(operation, caller, caller_role, user_id, slot_id, deposit_id, booking_id,
  before, after, trace_id)::text from pilates_audit_log
union all select 'event ' || json_build_array(event, user_id, slot_id, booking_id,
  row_number() over (order by id), trace_id, delivered_at is null,
  next_attempt_at < clock_timestamp() + interval '1 minute')::text from pilates_calendar_outbox
"""
# What a target may decide for itself: its words, its numbers, and when exactly it switches an expired deposit off.
FREE_STATE = """
select 'deposit ' || json_build_array(id, user_id, deposit_remaining)::text from pilates_deposits
union all select 'booking ' || json_build_array(user_id, slot_id, deposit_id, status)::text from pilates_bookings
  where status <> 'cancelled'
union all select 'shown ' || json_build_array(slot_id, date, start_time, max_capacity, is_active,
  booked_count)::text from pilates_slots_with_occupancy
union all select 'entry ' || json_build_array(operation, caller, user_id, slot_id, deposit_id,
  (after ->> 'deposit_remaining')::integer - (before ->> 'deposit_remaining')::integer, after ->> 'booking_status',
  trace_id)::text from pilates_audit_log where operation <> 'expire'
union all select 'event ' || json_build_array(event, user_id, slot_id, trace_id)::text from pilates_calendar_outbox
"""


def person(name: str) -> str:
    """Return somebody's, a class's or a deposit's id: the same in each story."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


class Story:
    """Calls and rows upon one connection, and what came of them, in words without random numbers."""

    now = datetime.now(UTC)  # one moment for all stories, or their classes would not start at the same time

    def __init__(self, connection: Connection, *, free: bool = False):
        self.cursor = connection.cursor()
        self.free = free
        self.told: list[str] = []
        self.slots = 0
        self.names = {person(name): name for name in ROLES}
        self.sql(
            "insert into user_profiles (user_id, email, role) select id::uuid, name || '@example.test', role"
            " from unnest(%s, %s, %s) as x (id, name, role)",
            [person(name) for name in ROLES],
            list(ROLES),
            list(ROLES.values()),
        )

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        self.cursor.execute(f"reset role; {text}", values or None)
        return self.cursor.fetchall() if self.cursor.description else []

    def slot(self, name: str, places: int = 2, starts: str = "2 days", active: bool = True) -> str:
        slot_id = self._named(name)
        self.sql(
            "with t as (select (%s + %s::interval + %s * interval '1 ms') at time zone 'Europe/Athens' as at)"
            " insert into pilates_schedule_slots (id, date, start_time, end_time, max_capacity, is_active)"
            " select %s, at::date, at::time, '23:59:59.999999', %s, %s from t",
            self.now,
            starts,
            self._count(),
            slot_id,
            places,
            active,
        )
        return slot_id

    def rooms(self, *names: str, places: int = 2) -> list[str]:
        """Make classes, the first in two days, and one more each day."""
        return [self.slot(name, places, f"{days} days") for days, name in enumerate(names, 2)]

    def _count(self) -> int:
        self.slots += 1
        return self.slots

    def slot_on(self, day: int | str, time_of_day: str) -> str:
        """Make a class so many days from today, or on a date, by the studio's calendar."""
        today = self.now.astimezone(ZoneInfo("Europe/Athens")).date()
        date = str(today + timedelta(days=day)) if isinstance(day, int) else day
        slot_id = self._named(f"{day} {time_of_day}")
        self.sql(
            "insert into pilates_schedule_slots (id, date, start_time, end_time, max_capacity)"
            " values (%s, %s, %s, '23:59:59.999999', 2)",
            slot_id,
            date,
            time_of_day,
        )
        return slot_id

    def deposit(
        self, who: str, classes: int, name: str = "", *, ends: str | None = "30 days", active: bool = True, age: int = 5
    ) -> str:
        deposit_id = self._named(name or f"deposit of {who}")
        self.sql(
            "insert into pilates_deposits (id, user_id, classes_credited, deposit_remaining, expires_at, is_active,"
            " credited_at) values (%s, %s, %s, %s, %s + %s::interval, %s, %s - %s * interval '1 day')",
            deposit_id,
            person(who),
            classes,
            classes,
            self.now,
            ends,
            active,
            self.now,
            age,
        )
        return deposit_id

    def deposits(self, classes: int, *members: str) -> None:
        for who in members:
            self.deposit(who, classes)

    def _named(self, name: str) -> str:
        self.names[person(name)] = name
        return person(name)

    @staticmethod
    def _id_of(who: str | None) -> str | None:
        return person(who) if who else None

    def call(
        self,
        who: str | None,
        what: str,
        *values: Any,
        key: str = "",
        device: str = "api",
        zone: str = "UTC",
        fault: str = "",
        state: str = "P0001",
    ) -> Any:
        """Call a function in somebody's name; returns the booking or deposit it made."""
        headers = {"x-trace-id": "trace", "idempotency-key": key, "x-device": device}
        settings = {
            "request.headers": json.dumps(headers),
            "timezone": zone,
            "faults.at": fault,
            "faults.state": state,
        }
        self.cursor.execute("reset role; savepoint before")
        made = None
        try:
            act_as(self.cursor, self._id_of(who), settings)
            self.cursor.execute(FUNCTIONS[what], values)
            [row] = self.cursor.fetchall()
            made = row[0] if len(row) == 2 else None
            if made is not None:
                self.names.setdefault(made, f"made by {len(self.told)}")
            answer = str(row)
        except psycopg2.Error as error:
            self.cursor.execute("rollback to before")
            answer = "refused" if self.free else f"{error.pgcode} {error.diag.message_primary}"
        if self.free and (what == "expire" or answer != "refused"):
            answer = "accepted"
        self.cursor.execute("reset role; reset timezone; set local faults.at to ''")
        self._say(f"{who} {what}: {answer}")
        return made

    def book(self, who: str, slot_id: str, *, by: str | None = None, **more: Any) -> str:
        return self.call(by or who, "book", person(who), slot_id, **more) or person("no booking")

    def cancel(self, who: str, booking_id: str, **more: Any) -> None:
        self.call(who, "cancel", booking_id, person(who), **more)

    def move(self, who: str, booking_id: str, slot_id: str, **more: Any) -> Any:
        return self.call(who, "move", booking_id, person(who), slot_id, **more)

    def sees(self, who: str | None, query: str, **more: Any) -> None:
        """Tell what somebody gets for a query with their own rights, and further claims in their token."""
        self.cursor.execute("reset role; savepoint before")
        try:
            act_as(self.cursor, self._id_of(who), **more)
            self.cursor.execute(query)
            answer = str(sorted(self.cursor.fetchall(), key=str))
        except psycopg2.Error as error:
            answer = "refused" if self.free else f"{error.pgcode}"
        self.cursor.execute("rollback to before; reset role")
        self._say(f"{who} sees {answer}")

    def keep(self) -> None:
        """Tell what the tables hold."""
        self._say(*(row[0] for row in self.sql(FREE_STATE if self.free else STATE)))

    def _say(self, *lines: str) -> None:
        """Add lines with names in the place of ids; an id that no call has answered is a random one."""
        self.told += sorted(UUID.sub(lambda found: self.names.get(found[0], "?"), line) for line in lines)
