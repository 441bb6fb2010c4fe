"""The overlays in tools/mutants/ and tools/controls/: each says what it is, applies, and does what it says.

Every overlay is put upon the studio within one transaction, and a story is told there: calls as PostgREST makes them,
chapter by chapter, until the studio answers or keeps something else than it does without the overlay. A mutant must
differ somewhere; a control must not, apart from what a target may decide for itself. What only shows when calls meet
is told by two connections and more, in a database of its own.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance.embedded import Studio
from acceptance.invariants import described
from tools.prove.overlays import header
from tools.studio.rules import CHANGE, apply_file

TOOLS = Path(__file__).resolve().parents[1]
MUTANTS = sorted((TOOLS / "mutants").glob("*.sql"))
CONTROLS = sorted((TOOLS / "controls").glob("*.sql"))
NEEDS = {"schedule", "fault", "calendar", "retry", "crash", "worker"}
OUTSIDE = {"crash", "worker"}  # what shows only when something is killed or delivered: no story of calls tells of it
FAMILIES = {
    "amount wrong",
    "calendar event",
    "caller check dropped",
    "comparison shifted",
    "condition dropped",
    "conflict clause changed",
    "definer or invoker",
    "durability",
    "early idempotent return removed",
    "exception swallowed",
    "idempotency scope",
    "interaction of factors",
    "lock order",
    "lock removed",
    "lock taken after the read",
    "lost update",
    "null caller",
    "order turned",
    "rare",
    "retry repeats a side effect",
    "row-level policy too narrow",
    "row-level policy too wide",
    "rule smuggled in",
    "statement deleted",
    "time zone or date",
    "trigger or cascade",
    "view or counter",
    "work split",
    "wrong row or trace",
}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Everything of a database that an overlay can change: sources, rights, policies, triggers, views, columns, indexes.
FINGERPRINT = """
select string_agg(what, e'\n' order by what) from (
  select p.oid::regprocedure || md5(pg_get_functiondef(p.oid)) || coalesce(p.proacl::text, '') as what
  from pg_proc p where p.pronamespace in ('public'::regnamespace, 'studio'::regnamespace) and p.prokind = 'f'
  union all
  select c.oid::regclass || c.relkind::text || c.relpersistence::text || coalesce(c.relacl::text, '')
    || coalesce(c.reloptions::text, '') || c.relrowsecurity
    || case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) else '' end
  from pg_class c where c.relnamespace in ('public'::regnamespace, 'studio'::regnamespace)
  union all
  select a.attrelid::regclass || a.attname || a.attnum || format_type(a.atttypid, a.atttypmod)
    || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attnum > 0 and not a.attisdropped and a.attrelid::regclass::text !~ '^(pg_|information_schema)'
  union all select x.conrelid::regclass || pg_get_constraintdef(x.oid) from pg_constraint x where x.conrelid <> 0
  union all select pg_get_indexdef(i.indexrelid) from pg_index i
  union all select pg_get_triggerdef(t.oid) from pg_trigger t where not t.tgisinternal
  union all select p::text from pg_policies p
  union all select s.setrole::regrole::text || s.setconfig::text from pg_db_role_setting s
  union all select s.seqrelid::regclass || s.seqincrement::text || s.seqmin from pg_sequence s
) as everything
"""
# For stories: a statement on a table fails when it is told to.
FAULTS = """
create schema faults;
create function faults.fail() returns trigger language plpgsql as $$
begin
  if current_setting('faults.at', true) = tg_table_name || ' ' || tg_op then
    raise exception using errcode = current_setting('faults.state'), message = 'fault';
  end if;
  return null;
end
$$;
grant usage on schema faults to public;
do $$
declare
  v_table text;
begin
  foreach v_table in array array['pilates_bookings', 'pilates_deposits', 'pilates_audit_log',
                                 'pilates_calendar_outbox'] loop
    execute format('create trigger fail before insert or update on public.%I execute function faults.fail()', v_table);
  end loop;
end
$$
"""
FUNCTIONS = {
    "book": "select booking_id, deposit_remaining from book_pilates_class(%s, %s)",
    "cancel": "select cancel_pilates_booking(%s, %s)",
    "move": "select booking_id, deposit_remaining from reschedule_pilates_booking(%s, %s, %s)",
    "remove": "select admin_remove_pilates_booking(%s, 'because')",
    "confirm": "select confirm_pilates_attendance(%s, %s)",
    "credit": "select deposit_id, deposit_remaining from credit_pilates_deposit(%s, %s)",
    "expire": "select check_and_expire_pilates_deposits()",
}
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


ROLES = {"anna": "user", "bob": "user", "cleo": "user", "tom": "trainer", "sue": "secretary", "eve": "admin"}


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

    def _named(self, name: str) -> str:
        self.names[person(name)] = name
        return person(name)

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
        role, claims = ("authenticated", {"sub": person(who)}) if who else ("anon", {})
        headers = {"x-trace-id": "trace", "idempotency-key": key, "x-device": device}
        settings = {
            "role": role,
            "request.jwt.claims": json.dumps({"role": role, **claims}),
            "request.headers": json.dumps(headers),
            "timezone": zone,
            "faults.at": fault,
            "faults.state": state,
        }
        chosen = "select " + ", ".join(["set_config(%s, %s, true)"] * len(settings))
        pairs = [text for pair in settings.items() for text in pair]
        self.cursor.execute("reset role; savepoint before")
        made = None
        try:
            self.cursor.execute(f"{chosen}; {FUNCTIONS[what]}", [*pairs, *values])
            row = self.cursor.fetchone()
            assert row is not None
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

    def sees(self, who: str | None, query: str, **more: Any) -> None:
        """Tell what somebody gets for a query with their own rights, and further claims in their token."""
        role, claims = ("authenticated", {"sub": person(who)}) if who else ("anon", {})
        claims |= more
        self.cursor.execute("reset role; savepoint before")
        try:
            self.cursor.execute(
                f"select set_config('role', %s, true), set_config('request.jwt.claims', %s, true); {query}",
                (role, json.dumps({"role": role, **claims})),
            )
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


Chapter = Callable[[Story], None]
CHAPTERS: dict[str, Chapter] = {}


def chapter(tell: Chapter) -> Chapter:
    """Register a part of the story."""
    CHAPTERS[tell.__name__] = tell
    return tell


@chapter
def a_class_is_booked_and_cancelled(s: Story) -> None:
    s.deposit("anna", 3)
    room = s.slot("room")
    booking = s.book("anna", room)
    s.book("anna", room)
    for _ in range(2):
        s.call("anna", "cancel", booking, person("anna"))
    s.call("eve", "remove", booking)
    s.book("anna", room)


@chapter
def a_full_class(s: Story) -> None:
    for who in ("anna", "bob", "cleo"):
        s.deposit(who, 1)
    room = s.slot("room", 2)
    bookings = [s.book(who, room) for who in ("anna", "bob", "cleo")]
    s.call("anna", "cancel", bookings[0], person("anna"))
    s.book("cleo", room)


@chapter
def a_booking_is_moved(s: Story) -> None:
    s.deposit("anna", 3)
    s.deposit("bob", 3)
    room, other, full = s.slot("room"), s.slot("other", starts="3 days"), s.slot("full", 1, starts="4 days")
    booking = s.book("anna", room)
    s.book("bob", full)
    moved = s.call("anna", "move", booking, person("anna"), other)
    s.call("anna", "move", booking, person("anna"), room)
    s.call("anna", "move", moved, person("anna"), full)
    s.call("anna", "move", moved, person("anna"), other)
    s.call("sue", "remove", moved)
    s.call("anna", "move", moved, person("anna"), room)


@chapter
def a_member_attends(s: Story) -> None:
    for who in ("anna", "bob"):
        s.deposit(who, 3)
    room, other = s.slot("room"), s.slot("other", starts="3 days")
    first, second = s.book("anna", room), s.book("bob", room)
    for _ in range(2):
        s.call("tom", "confirm", first, person("anna"))
    s.call("anna", "cancel", first, person("anna"))
    s.call("anna", "move", first, person("anna"), other)
    s.deposit("cleo", 1)
    s.book("cleo", room)
    s.call("bob", "cancel", second, person("bob"))
    s.call("tom", "confirm", second, person("bob"))


@chapter
def the_front_desk_works(s: Story) -> None:
    s.deposit("anna", 2)
    s.deposit("sue", 2)
    room = s.slot("room")
    booking = s.book("anna", room, by="sue")
    for classes in (3, 1, 0, -5):
        s.call("sue", "credit", person("anna"), classes)
    s.call("sue", "remove", booking)
    s.call("sue", "credit", person("bob"), 2)
    s.book("bob", room)


@chapter
def one_class_is_left(s: Story) -> None:
    s.deposit("anna", 1)
    room, other = s.slot("room", 1), s.slot("other", starts="3 days")
    booking = s.book("anna", room)
    s.book("anna", other)
    s.call("anna", "cancel", booking, person("anna"))
    s.book("anna", other)
    s.deposit("bob", 0)
    s.book("bob", other)
    s.deposit("cleo", 0, "empty of cleo", ends="1 day")
    s.deposit("cleo", 2)
    s.book("cleo", other)


@chapter
def there_are_several_deposits(s: Story) -> None:
    s.deposit("anna", 9, "old", ends="40 days", age=9)
    s.deposit("anna", 2, "soon", ends="10 days")
    s.deposit("anna", 3, "new", ends=None, age=1)
    s.deposit("anna", 30, "late", ends="300 days", age=7)
    room, other, third = s.slot("room"), s.slot("other", starts="3 days"), s.slot("third", starts="4 days")
    first, second = s.book("anna", room), s.book("anna", other)
    s.keep()
    s.call("anna", "cancel", first, person("anna"))
    s.sql(
        "update pilates_deposits set is_active = false, expires_at = now() - interval '1 day' where id = %s",
        person("soon"),
    )
    moved = s.call("anna", "move", second, person("anna"), third)
    s.keep()
    s.call("anna", "cancel", moved or second, person("anna"))


@chapter
def deposits_that_do_not_pay(s: Story) -> None:
    room = s.slot("room", 9)
    s.deposit("anna", 3, ends="-1 day")
    s.deposit("bob", 3, active=False)
    s.deposit("cleo", 3, ends="90 minutes")
    for who in ("anna", "bob", "cleo"):
        s.book(who, room)
    s.deposit("anna", 3, "endless", ends=None)
    s.book("anna", room)


# On the studio's own day, at whatever hour the test runs.
END_TODAY = """update pilates_deposits set expires_at = least(expires_at,
  ((clock_timestamp() at time zone studio.zone())::date + 1)::timestamp at time zone studio.zone()
    - interval '1 second')
  where id = %s"""


@chapter
def deposits_end(s: Story) -> None:
    s.deposit("anna", 3, "over", ends="1 hour")
    s.deposit("anna", 3, "good", ends="20 days")
    s.deposit("bob", 2, ends="10 hours")
    s.sql(END_TODAY, person("deposit of bob"))
    s.deposit("cleo", 2, ends="-3 days", active=False)
    s.deposit("tom", 2, ends=None)
    room = s.slot("room")
    booking = s.book("anna", room)
    s.book("bob", room)
    s.sql("update pilates_deposits set expires_at = now() - interval '1 hour' where id = %s", person("over"))
    s.call("eve", "expire")
    s.call("eve", "expire")
    s.call("anna", "cancel", booking, person("anna"))
    s.book("anna", room)


@chapter
def a_class_has_started(s: Story) -> None:
    for who in ("anna", "bob"):
        s.deposit(who, 9)
    room, other, over = s.slot("room"), s.slot("other", starts="3 days"), s.slot("over", starts="-30 minutes")
    booking, second = s.book("anna", room), s.book("bob", room)
    s.book("anna", over)
    s.sql(
        "update pilates_schedule_slots s set date = o.date, start_time = o.start_time - interval '1 second'"
        " from pilates_schedule_slots o where s.id = %s and o.id = %s",
        room,
        over,
    )
    s.call("anna", "cancel", booking, person("anna"))
    s.call("anna", "move", booking, person("anna"), other)
    s.call("anna", "remove", booking)
    s.call("sue", "remove", booking)
    s.call("tom", "confirm", second, person("bob"))


@chapter
def what_time_it_is(s: Story) -> None:
    s.deposit("anna", 40)
    soon = s.slot("soon", starts="30 minutes")
    s.book("anna", soon, zone="Asia/Tokyo")
    s.book("anna", s.slot("tonight", starts="3 hours"), zone="US/Eastern")
    s.book("anna", s.slot("long over", starts="-3 hours"), zone="US/Eastern")
    for day, time_of_day in (
        (0, "00:00:00.5"),
        (0, "23:59:59.5"),
        (1, "00:00:00.5"),
        (1, "00:15"),
        (1, "23:45"),
        ("2031-07-01", "10:00"),
        ("2031-01-15", "10:00"),
    ):
        s.book("anna", s.slot_on(day, time_of_day))


@chapter
def classes_come_and_go(s: Story) -> None:
    for who in ("anna", "bob", "cleo"):
        s.deposit(who, 4)
    room, off, big = s.slot("room"), s.slot("off", active=False), s.slot("big", 1, starts="5 hours")
    s.book("anna", off)
    s.book("anna", person("no such class"))
    booking, _ = s.book("anna", room), s.book("bob", room)
    s.sql("update pilates_schedule_slots set max_capacity = 1 where id = %s", room)
    s.keep()
    s.book("cleo", room)
    s.sql("update pilates_schedule_slots set is_active = false where id = %s", room)
    s.call("anna", "cancel", booking, person("anna"))
    booking = s.book("cleo", big)
    s.keep()
    s.call("cleo", "cancel", booking, person("cleo"))


@chapter
def somebody_else_calls(s: Story) -> None:
    s.deposit("anna", 9)
    room, other = s.slot("room"), s.slot("other", starts="3 days")
    for caller in ("bob", "tom", "nobody", None):
        s.call(caller, "book", person("anna"), room)
        booking = s.book("anna", room, by="eve")
        s.call(caller, "cancel", booking, person("anna"))
        s.call(caller, "cancel", booking, person(caller or ""))
        s.call(caller, "move", booking, person("anna"), other)
        s.call(caller, "remove", booking)
        s.call(caller, "credit", person("anna"), 1)
        s.call(caller, "expire")
        s.call(caller, "confirm", booking, person("anna"))
        s.call("eve", "remove", booking)
    for caller in ("anna", "sue", "eve"):
        booking = s.book("anna", room, by=caller)
        moved = s.call(caller, "move", booking, person("anna"), other)
        s.call(caller, "cancel", moved, person("anna"))
    s.call("anna", "expire")
    s.call("anna", "credit", person("anna"), 1)


@chapter
def who_sees_what(s: Story) -> None:
    who: str | None
    for member in ("anna", "bob"):
        s.deposit(member, 1)
    room, other = s.slot("room"), s.slot("other", starts="3 days")
    booking = s.book("anna", room)
    s.book("bob", room)
    s.call("anna", "cancel", booking, person("anna"))
    s.book("anna", other)
    # Staff hold nothing, a visitor is nobody: who sees more or less than others must differ here.
    for who in ("anna", "tom", "sue", "eve", "nobody", None):
        s.sees(who, "select user_id, slot_id, status from pilates_bookings")
        s.sees(who, "select user_id, deposit_remaining from pilates_deposits")
        s.sees(who, "select slot_id, booked_count from pilates_slots_with_occupancy")
        s.sees(who, "select email from user_profiles")
        s.sees(who, "select operation, user_id from pilates_audit_log")
        s.sees(who, "select id from pilates_schedule_slots")
    for who in ("anna", "tom"):
        s.sees(who, "update pilates_deposits set deposit_remaining = 99 returning user_id")
        s.sees(who, "update pilates_bookings set status = 'confirmed' returning user_id")
        s.sees(who, "update pilates_schedule_slots set max_capacity = 99 returning id")


@chapter
def who_writes_what(s: Story) -> None:
    who: str | None
    for member in ("anna", "bob"):
        s.deposit(member, 3)
    room = s.slot("room")
    s.book("anna", room)
    bought = (
        "insert into pilates_deposits (user_id, classes_credited, deposit_remaining) values ('{}', 9, 9) returning 1"
    )
    for who in ("anna", "bob", "tom", None):
        s.sees(who, "update user_profiles set role = 'admin' returning user_id")
        s.sees(who, bought.format(person(who or "anna")))
        s.sees(who, "delete from pilates_bookings returning user_id")
        s.sees(who, f"update pilates_deposits set user_id = '{person(who or 'bob')}' returning 1")
        s.sees(who, "update pilates_slots_with_occupancy set max_capacity = 99 returning slot_id")
        s.sees(who, "delete from pilates_audit_log returning operation")
        s.sees(who, "select count(*) from pilates_calendar_outbox")
        s.sees(who, "select operation from idempotency_keys")
    s.sees("bob", "select user_id from pilates_deposits", user_metadata={"role": "admin"})
    deleted = f"delete from pilates_schedule_slots where id = '{room}'"
    s.sql(f"do $$ begin {deleted}; exception when foreign_key_violation then null; end $$")
    s.keep()


@chapter
def a_request_is_sent_again(s: Story) -> None:
    for who in ("anna", "bob"):
        s.deposit(who, 9)
    room, other = s.slot("room", 9), s.slot("other", starts="3 days")
    booking, _ = (s.book("anna", room, key="key-one-1") for _ in range(2))
    s.book("anna", other, key="key-one-1")
    s.book("bob", room, key="key-one-1")
    s.book("anna", other, key="key-one-2")
    for _ in range(2):
        s.call("anna", "move", booking, person("anna"), s.slot(f"third {_}", starts="4 days"), key="move")
    third = s.book("anna", room)
    for _ in range(2):
        s.call("anna", "cancel", third, person("anna"), key="key-one-1")
    fourth = s.book("anna", room)
    for _ in range(2):
        s.call("tom", "confirm", fourth, person("anna"), key="door")
        s.call("eve", "credit", person("bob"), 2, key="sale")
    fifth = s.book("bob", s.slot("fifth", starts="5 days"))
    for _ in range(2):
        s.call("eve", "remove", fifth, key="out")


@chapter
def a_move_is_sent_again(s: Story) -> None:
    s.deposit("anna", 9)
    room, other = s.slot("room"), s.slot("other", starts="3 days")
    booking = s.book("anna", room)
    for _ in range(2):
        s.call("anna", "move", booking, person("anna"), other, key="move")


@chapter
def something_breaks(s: Story) -> None:
    s.deposit("anna", 9)
    room, other, third = s.slot("room", 9), s.slot("other", 9, starts="3 days"), s.slot("third", 9, starts="4 days")
    booking, second = s.book("anna", room), s.book("anna", other)
    for table in ("bookings INSERT", "audit_log INSERT", "calendar_outbox INSERT"):
        s.call("anna", "move", booking, person("anna"), third, fault=f"pilates_{table}")
    s.call("anna", "cancel", second, person("anna"), fault="pilates_deposits UPDATE")
    for table in ("bookings INSERT", "deposits UPDATE"):
        for state in ("P0001", "57014"):
            s.book("anna", third, fault=f"pilates_{table}", state=state)


@chapter
def the_calendar_breaks(s: Story) -> None:
    s.deposit("anna", 9)
    s.book("anna", s.slot("room"))
    s.sql("update pilates_calendar_outbox set attempts = 1, last_error = '500'")


@chapter
def back_and_forth(s: Story) -> None:
    s.deposit("anna", 12)
    s.deposit("bob", 40)
    room = s.slot("room")
    for who in ("anna", "anna", "anna", "bob"):
        booking = s.book(who, room)
        s.keep()
        s.call(who, "cancel", booking, person(who))


@chapter
def a_phone_books_the_last_place(s: Story) -> None:
    for who, classes in (("anna", 1), ("bob", 1), ("cleo", 3), ("tom", 3)):
        s.deposit(who, classes)
    for device in ("ios", "android", "web-chrome"):
        room = s.slot(f"room {device}", 1)
        booking = s.book("cleo", room, device=device)
        s.call("cleo", "cancel", booking, person("cleo"), device=device)
        s.book("anna", s.slot(f"second {device}", 1), device=device)


@chapter
def a_big_class(s: Story) -> None:
    room = s.slot("room", 11)
    for number in range(12):
        guest = person(f"guest {number}")
        s.names[guest] = f"guest {number}"
        s.sql("insert into user_profiles (user_id, email) values (%s, %s)", guest, f"guest-{number}@example.test")
        s.sql(
            "insert into pilates_deposits (id, user_id, classes_credited, deposit_remaining) values (%s, %s, 1, 1)",
            person(f"deposit {number}"),
            guest,
        )
        s.call("eve", "book", guest, room)


@chapter
def many_classes(s: Story) -> None:
    s.deposit("anna", 40)
    for number in range(10):
        s.book("anna", s.slot(f"room {number}", starts=f"{number + 2} days"))


@pytest.fixture(scope="module")
def town(studio: Studio) -> Iterator[Callable[[], str]]:
    """Make databases of the studio's template, and drop them afterwards; gives the URL of a new one."""
    made: list[str] = []

    def administer(statement: str) -> None:
        with contextlib.closing(psycopg2.connect(studio.database_url)) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    def another() -> str:
        made.append(f"mutants_{uuid.uuid4().hex[:8]}")
        administer(f"create database {made[-1]} template template_studio")
        return studio.database_url.replace("/studio?", f"/{made[-1]}?")

    yield another
    for name in made:
        administer(f"drop database {name} with (force)")


# Where a family, or a word of a mutant's id, is most likely to show: told first, to save time.
LIKELY = {
    "row-level policy too narrow": "who_sees_what",
    "row-level policy too wide": "who_sees_what",
    "time zone or date": "what_time_it_is",
    "exception swallowed": "something_breaks",
    "idempotency scope": "a_request_is_sent_again",
    "early idempotent return removed": "a_request_is_sent_again",
    "retry repeats a side effect": "a_request_is_sent_again",
    "caller check dropped": "somebody_else_calls",
    "null caller": "somebody_else_calls",
    "order turned": "there_are_several_deposits",
    "interaction of factors": "a_phone_books_the_last_place",
    "reschedule": "a_booking_is_moved",
    "confirm": "a_member_attends",
    "attended": "a_member_attends",
    "credit": "the_front_desk_works",
    "front": "the_front_desk_works",
    "expire": "deposits_end",
    "started": "a_class_has_started",
    "capacity": "a_full_class",
    "full": "a_full_class",
    "last": "one_class_is_left",
    "deposit": "deposits_that_do_not_pay",
    "deposits": "there_are_several_deposits",
    "classes": "classes_come_and_go",
    "class": "classes_come_and_go",
}


class Ground:
    """One database on which every overlay is tried and taken back."""

    def __init__(self, url: str):
        # Planning takes most of the time, and each overlay makes all plans worthless.
        self.connection = psycopg2.connect(url, options="-c plan_cache_mode=force_generic_plan")
        with self.connection.cursor() as cursor:
            cursor.execute(FAULTS)
            cursor.execute(CHANGE)
        self.connection.commit()
        self.plain = self.fingerprint()
        self.stories = {(name, free): self.tell(name, free) for name in CHAPTERS for free in (False, True)}
        self.connection.rollback()

    def fingerprint(self) -> str:
        with self.connection.cursor() as cursor:
            cursor.execute(FINGERPRINT)
            [(found,)] = cursor.fetchall()
        text: str = found
        return text

    def tell(self, name: str, free: bool = False) -> list[str]:
        """Tell a chapter upon what stands, and take it back."""
        with self.connection.cursor() as cursor:
            cursor.execute("savepoint chapter")
            story = Story(self.connection, free=free)
            CHAPTERS[name](story)
            story.keep()
            cursor.execute("rollback to chapter")
        return story.told

    def differs(self, likely: str = "", free: bool = False) -> str:
        """Name the first chapter, with its first line, that comes out otherwise; nothing if there is none."""
        for name in sorted(CHAPTERS, key=lambda name: name != likely):
            told, usual = self.tell(name, free), self.stories[name, free]
            if told != usual:
                changed = [pair for pair in zip(told, usual, strict=False) if pair[0] != pair[1]]
                now, then = changed[0] if changed else (f"{len(told)} lines", f"{len(usual)} lines")
                return f"{name}: {now} | {then}"
        return ""


@pytest.fixture(scope="module")
def ground(town: Callable[[], str]) -> Iterator[Ground]:
    ground = Ground(town())
    yield ground
    ground.connection.close()


@pytest.fixture
def apply(ground: Ground) -> Iterator[Callable[[Path], None]]:
    yield lambda path: apply_file(ground.connection, path)
    ground.connection.rollback()
    ground.connection.cursor().execute("discard plans")  # else some keep a function that was taken back, inlined


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


def test_there_are_enough_and_each_once() -> None:
    ids = Counter([header(path)["id"] for path in [*MUTANTS, *CONTROLS]])
    assert [name for name, count in ids.items() if count > 1] == []
    assert len(MUTANTS) >= 66
    assert len(CONTROLS) >= 14
    assert {header(path)["family"] for path in MUTANTS} == FAMILIES


@pytest.mark.parametrize("path", [*MUTANTS, *CONTROLS], ids=names([*MUTANTS, *CONTROLS]))
def test_the_head_says_what_it_is(path: Path) -> None:
    head = header(path)
    assert head["id"] == path.stem
    if path in CONTROLS:
        assert head.keys() == {"id", "family", "why"}
        assert head["family"] == "control"
        return
    assert head.keys() - {"reference", "race", "needs", "equivalent"} == {
        "id",
        "family",
        "symptom",
        "invariants",
        "priority",
    }
    assert head["family"] in FAMILIES
    assert head["priority"] in {"P0", "P1", "P2"}
    assert set(head["invariants"].split(", ")) <= described().keys()
    assert head.get("race", "yes") == "yes"
    assert head.get("needs", "fault") in NEEDS
    assert all(len(line) <= 120 for line in path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", MUTANTS, ids=names(MUTANTS))
def test_a_mutant_does_something_else(path: Path, ground: Ground, apply: Callable[[Path], None]) -> None:
    apply(path)
    assert ground.fingerprint() != ground.plain
    head = header(path)
    if "race" not in head and head.get("needs") not in OUTSIDE:
        words = [head["family"], *head["id"].split("-")]
        likely = next((chapter for word, chapter in LIKELY.items() if word in words), "")
        assert bool(ground.differs(likely)) != ("equivalent" in head), "what it does, or that it does nothing"


@pytest.mark.parametrize("path", CONTROLS, ids=names(CONTROLS))
def test_a_control_does_the_same_in_another_way(path: Path, ground: Ground, apply: Callable[[Path], None]) -> None:
    apply(path)
    assert ground.fingerprint() != ground.plain
    assert ground.differs(free=True) == ""


class Meeting:
    """Calls that meet: one within an open transaction, the others come while it is open, then it commits."""

    def __init__(self, url: str):
        options = "-c deadlock_timeout=20ms -c plan_cache_mode=force_generic_plan"
        self.connections = [psycopg2.connect(url, options=options) for _ in range(4)]
        self.watcher = psycopg2.connect(url)
        self.watcher.autocommit = True

    def begin(self) -> None:
        """Begin with empty tables."""
        with self.connections[0].cursor() as cursor:
            cursor.execute(
                "truncate user_profiles, pilates_schedule_slots, pilates_audit_log, pilates_calendar_outbox,"
                " idempotency_keys cascade"
            )
        self.story = Story(self.connections[0])
        self.connections[0].commit()

    def prepare(self, tell: Callable[[Story], Any]) -> Any:
        """Do what comes before, one after another."""
        result = tell(self.story)
        self.connections[0].commit()
        return result

    def meet(
        self, first: Callable[[Story], Any], *others: Callable[[Story], Any], last: Callable[[Story], Any] | None = None
    ) -> list[str]:
        """Return what everybody was told, and what the tables hold afterwards; ``last`` is what the first does yet."""
        stories = [copy.copy(self.story) for _ in range(len(others) + 1)]
        for story, connection in zip(stories, self.connections, strict=False):
            story.told, story.cursor = [], connection.cursor()
        first(stories[0])
        with ThreadPoolExecutor(len(others)) as pool:
            tasks: list[Future[None]] = []
            for other, story in zip(others, stories[1:], strict=True):
                tasks.append(pool.submit(self._alone, other, story))
                self._wait_until_all_are_done_or_blocked(tasks)
            if last is not None:
                last(stories[0])
            self.connections[0].commit()
            for task in tasks:
                task.result()
        self.prepare(Story.keep)
        told = [line for story in (*stories, self.story) for line in story.told]
        return [line for line in told if not line.startswith("entry")]

    def close(self) -> None:
        for connection in (*self.connections, self.watcher):
            connection.close()

    @staticmethod
    def _alone(tell: Callable[[Story], Any], story: Story) -> None:
        tell(story)
        story.cursor.connection.commit()

    def _wait_until_all_are_done_or_blocked(self, tasks: list[Future[None]]) -> None:
        deadline = time.monotonic() + 20
        with self.watcher.cursor() as cursor:
            while True:
                cursor.execute(
                    "select count(*) from pg_stat_activity"
                    " where datname = current_database() and wait_event_type = 'Lock' and state = 'active'"
                )
                [(blocked,)] = cursor.fetchall()
                if sum(task.done() for task in tasks) + blocked >= len(tasks):
                    return
                assert time.monotonic() < deadline, "neither done nor blocked within 20 s"
                time.sleep(0.002)


Meet = Callable[[Meeting], list[str]]
MEETINGS: dict[str, Meet] = {}


def meeting(tell: Meet) -> Meet:
    """Register calls that meet."""
    MEETINGS[tell.__name__] = tell
    return tell


@meeting
def two_want_the_last_place(m: Meeting) -> list[str]:
    room = m.prepare(lambda s: (s.deposit("anna", 2), s.deposit("bob", 2), s.slot("room", 1))[2])
    return m.meet(lambda s: s.book("anna", room), lambda s: s.book("bob", room))


@meeting
def two_book_a_class_with_room(m: Meeting) -> list[str]:
    room = m.prepare(lambda s: (s.deposit("anna", 2), s.deposit("bob", 2), s.slot("room", 2))[2])
    return m.meet(lambda s: s.book("anna", room), lambda s: s.book("bob", room))


@meeting
def one_books_two_classes(m: Meeting) -> list[str]:
    rooms = m.prepare(lambda s: (s.deposit("anna", 5), s.slot("room"), s.slot("other", starts="3 days"))[1:])
    return m.meet(lambda s: s.book("anna", rooms[0]), lambda s: s.book("anna", rooms[1]))


@meeting
def one_books_two_classes_with_the_last(m: Meeting) -> list[str]:
    rooms = m.prepare(lambda s: (s.deposit("anna", 1), s.slot("room"), s.slot("other", starts="3 days"))[1:])
    return m.meet(lambda s: s.book("anna", rooms[0]), lambda s: s.book("anna", rooms[1]))


def booked(m: Meeting, **more: Any) -> str:
    booking: str = m.prepare(lambda s: (s.deposit("anna", 5), s.book("anna", s.slot("room"), **more))[1])
    return booking


@meeting
def two_cancel(m: Meeting) -> list[str]:
    booking = booked(m)
    return m.meet(*[lambda s: s.call("anna", "cancel", booking, person("anna"))] * 2)


@meeting
def one_cancels_and_the_desk_removes(m: Meeting) -> list[str]:
    booking = booked(m)
    return m.meet(
        lambda s: s.call("anna", "cancel", booking, person("anna")), lambda s: s.call("eve", "remove", booking)
    )


@meeting
def one_cancels_and_the_trainer_confirms(m: Meeting) -> list[str]:
    booking = booked(m)
    return m.meet(
        lambda s: s.call("anna", "cancel", booking, person("anna")),
        lambda s: s.call("tom", "confirm", booking, person("anna")),
    )


@meeting
def one_cancels_and_moves(m: Meeting) -> list[str]:
    booking = booked(m)
    other = m.prepare(lambda s: s.slot("other", starts="3 days"))
    return m.meet(
        lambda s: s.call("anna", "cancel", booking, person("anna")),
        lambda s: s.call("anna", "move", booking, person("anna"), other),
    )


@meeting
def one_books_and_cancels(m: Meeting) -> list[str]:
    booking = booked(m)
    other = m.prepare(lambda s: s.slot("other", starts="3 days"))
    return m.meet(lambda s: s.book("anna", other), lambda s: s.call("anna", "cancel", booking, person("anna")))


@meeting
def two_move_to_the_last_place(m: Meeting) -> list[str]:
    def before(s: Story) -> tuple[str, str, str]:
        for who in ("anna", "bob"):
            s.deposit(who, 2)
        rooms = [s.slot(name) for name in ("room", "other")]
        return s.book("anna", rooms[0]), s.book("bob", rooms[1]), s.slot("last", 1)

    first, second, last = m.prepare(before)
    return m.meet(
        lambda s: s.call("anna", "move", first, person("anna"), last),
        lambda s: s.call("bob", "move", second, person("bob"), last),
    )


@meeting
def two_swap_their_classes(m: Meeting) -> list[str]:
    """One of them is half way: the class with the lower id is locked, as the studio's order wants it."""

    def before(s: Story) -> tuple[str, str, str]:
        s.deposit("bob", 2)
        low, high = sorted(s.slot(name) for name in ("room", "other"))
        return s.book("bob", high), low, high

    def lock(s: Story, slot_id: str) -> None:
        try:
            s.sql("select id from pilates_schedule_slots where id = %s for update", slot_id)
        except psycopg2.errors.DeadlockDetected:
            s.cursor.connection.rollback()
            s.told.append("deadlock")

    booking, low, high = m.prepare(before)
    return m.meet(
        lambda s: lock(s, low),
        lambda s: s.call("bob", "move", booking, person("bob"), low),
        last=lambda s: lock(s, high),
    )


@meeting
def one_books_again_and_cancels_while_the_class_is_locked(m: Meeting) -> list[str]:
    booking = booked(m)
    return m.meet(
        lambda s: s.sql("select id from pilates_schedule_slots for update"),
        lambda s: s.book("anna", person("room")),
        lambda s: s.call("anna", "cancel", booking, person("anna")),
    )


@meeting
def a_class_comes_back_while_the_deposit_ends(m: Meeting) -> list[str]:
    booking = booked(m)
    m.prepare(lambda s: s.sql("update pilates_deposits set expires_at = now() - interval '1 hour'"))
    return m.meet(lambda s: s.call("anna", "cancel", booking, person("anna")), lambda s: s.call("eve", "expire"))


@meeting
def one_request_arrives_twice(m: Meeting) -> list[str]:
    return m.meet(*[lambda s: s.call("eve", "credit", person("anna"), 2, key="sale")] * 2)


def meet_on(url: str, meetings: Iterable[str], path: Path | None) -> dict[str, list[str]]:
    """Hold meetings on a new database, with an overlay."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        if path is not None:
            cursor.execute(CHANGE)
            apply_file(connection, path)
        connection.commit()
    found = {}
    with contextlib.closing(Meeting(url)) as meeting:
        for name in meetings:
            meeting.begin()
            found[name] = MEETINGS[name](meeting)
    return found


RACES = {  # which meeting shows which mutant; a control is put through all of them
    "book-counts-before-lock": "two_want_the_last_place",
    "book-does-not-wait": "two_book_a_class_with_room",
    "book-locks-member-not-class": "two_want_the_last_place",
    "book-share-lock": "two_want_the_last_place",
    "book-skips-locked-class": "two_book_a_class_with_room",
    "book-skips-locked-deposit": "one_books_two_classes",
    "book-without-deposit-lock": "one_books_two_classes_with_the_last",
    "book-without-lock": "two_want_the_last_place",
    "cancel-locks-deposit-first": "one_books_again_and_cancels_while_the_class_is_locked",
    "cancel-reads-before-lock": "two_cancel",
    "confirm-reads-before-lock": "one_cancels_and_the_trainer_confirms",
    "confirm-without-lock": "one_cancels_and_the_trainer_confirms",
    "deposit-read-before-lock": "one_books_two_classes",
    "expire-writes-stale-count": "a_class_comes_back_while_the_deposit_ends",
    "key-looked-up-first": "one_request_arrives_twice",
    "refund-twice": "two_cancel",
    "refund-writes-stale-count": "one_books_and_cancels",
    "remove-reads-before-lock": "one_cancels_and_the_desk_removes",
    "reschedule-locks-in-order-of-travel": "two_swap_their_classes",
    "reschedule-locks-old-class-only": "two_move_to_the_last_place",
    "reschedule-reads-before-lock": "one_cancels_and_moves",
}


def test_each_race_has_its_meeting() -> None:
    assert sorted(RACES) == [path.stem for path in MUTANTS if "race" in header(path)]


@pytest.fixture(scope="module")
def usual(town: Callable[[], str]) -> dict[str, list[str]]:
    return meet_on(town(), MEETINGS, None)


@pytest.mark.parametrize("name", RACES)
def test_a_race_is_lost_each_time(name: str, town: Callable[[], str], usual: dict[str, list[str]]) -> None:
    found = meet_on(town(), [RACES[name]], TOOLS / "mutants" / f"{name}.sql")
    assert found[RACES[name]] != usual[RACES[name]]


LOCKS = [path for path in CONTROLS if re.search(r"lock|conditional|revived|counter|unique|absolute", path.stem)]


@pytest.mark.parametrize("path", LOCKS, ids=names(LOCKS))
def test_a_control_wins_every_race(path: Path, town: Callable[[], str], usual: dict[str, list[str]]) -> None:
    found = meet_on(town(), MEETINGS, path)
    assert {name: plainly(told) for name, told in found.items()} == {
        name: plainly(told) for name, told in usual.items()
    }


def plainly(told: list[str]) -> list[str]:
    """Leave out what may differ: who came first among those who waited, the words, and the numbers of rows."""
    return sorted(line for line in told if line.startswith(("deposit", "booking", "shown")) and "cancelled" not in line)
