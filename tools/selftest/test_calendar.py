"""The bookings reach a real calendar server, once and in order, whatever fails; what does not is seen.

Everything here is real: the studio's own worker, the proxy it goes through, Radicale, and the suite's CalDAV client.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import requests
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import calendar, embedded
from acceptance.calendar import Entry
from acceptance.datafiles import ROOT
from acceptance.faults import Fault
from acceptance.snapshot import Snapshot
from tools.selftest.conftest import SUPERVISOR
from tools.studio.calendar_worker import Delivery, entry
from tools.studio.processes import wait_until

PATIENCE = 40
TEN = datetime(2030, 1, 15, 8, 0, tzinfo=UTC)  # ten o'clock in Athens
TWELVE = datetime(2030, 1, 15, 10, 0, tzinfo=UTC)


@dataclass
class Member:
    """A member with two classes to choose from, who acts through the studio's functions as the service role does."""

    studio: embedded.Studio
    db: Connection
    user_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    slots: list[str] = field(default_factory=lambda: [str(uuid.uuid4()), str(uuid.uuid4())])

    def __post_init__(self) -> None:
        self.sql("insert into user_profiles values (%s, %s)", self.user_id, f"{self.user_id}@example.test")
        self.sql(
            "insert into pilates_deposits (user_id, classes_credited, deposit_remaining) values (%s, 9, 9)",
            self.user_id,
        )
        fraction = uuid.UUID(self.user_id).int % 1_000_000  # date and time are unique among all classes
        for slot, start in zip(self.slots, ("10:00:00", "12:00:00"), strict=True):
            times = ("2030-01-15", f"{start}.{fraction:06}", "23:00")
            self.sql("insert into pilates_schedule_slots values (%s, %s, %s, %s, 9)", slot, *times)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.db.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def call(self, function: str, *values: Any) -> Any:
        """Call a function of the studio in a request of our trace."""
        claims, headers = '{"role": "service_role"}', f'{{"x-trace-id": "{self.trace_id}"}}'
        settings = "set_config('request.jwt.claims', %s, false), set_config('request.headers', %s, false)"
        self.sql(f"select {settings}", claims, headers)
        return self.sql(f"select * from {function}({', '.join(['%s'] * len(values))})", *values)[0][0]

    def book(self) -> str:
        booking: str = self.call("book_pilates_class", self.user_id, self.slots[0])
        return booking

    def cancel(self, booking_id: str) -> None:
        self.call("cancel_pilates_booking", booking_id, self.user_id)

    def shown(self) -> list[tuple[str, datetime]]:
        """Return what the member's calendar shows now."""
        found = calendar.read(self.studio.calendar_url, [self.user_id])
        return [(one.booking_id, one.starts_at) for one in found]

    def soon_shows(self, *expected: tuple[str, datetime]) -> bool:
        return wait_until(lambda: self.shown() == list(expected) and not self.waiting(), PATIENCE)

    def waiting(self) -> list[tuple[str, int]]:
        """Return the events that are not delivered, with the tries that failed."""
        of_member = "from pilates_calendar_outbox where user_id = %s and delivered_at is null"
        return self.sql(f"select event, attempts {of_member} order by id", self.user_id)

    def failures(self) -> list[str]:
        """Return the errors in the audit log."""
        query = "select after ->> 'error' from pilates_audit_log where trace_id = %s and operation = 'calendar'"
        return [words for (words,) in self.sql(query, self.trace_id)]

    def plan(self, fault: Fault, times: int = 1, **more: Any) -> None:
        """Let deliveries of our trace meet a fault."""
        planned = [{"leg": "calendar", "fault": fault, "times": times, **more}]
        control = requests.get(f"{self.studio.network_url}/acceptance/network", timeout=PATIENCE).json()["control"]
        requests.put(f"{control}/{self.trace_id}", json=planned, timeout=PATIENCE).raise_for_status()

    def remove(self) -> None:
        for table in ("pilates_calendar_outbox", "pilates_audit_log", "pilates_bookings", "pilates_deposits"):
            self.sql(f"delete from {table} where user_id = %s", self.user_id)
        self.sql("delete from user_profiles where user_id = %s", self.user_id)
        self.sql("delete from pilates_schedule_slots where id = any(%s::uuid[])", self.slots)
        calendar.remove(self.studio.calendar_url, [self.user_id])


@pytest.fixture
def member(studio: embedded.Studio, db: Connection) -> Iterator[Member]:
    one = Member(studio, db)
    yield one
    one.remove()
    assert one.shown() == []


def now(studio: embedded.Studio) -> embedded.Studio:
    """Return the process ids of this moment."""
    studio.refresh()
    return studio


def test_each_change_reaches_the_calendar(member: Member) -> None:
    first = member.book()
    assert member.soon_shows((first, TEN))
    second = member.call("reschedule_pilates_booking", first, member.user_id, member.slots[1])
    assert member.soon_shows((second, TWELVE))
    third = member.book()
    assert wait_until(lambda: sorted(member.shown()) == sorted([(second, TWELVE), (third, TEN)]), PATIENCE)
    member.cancel(second)
    member.call("admin_remove_pilates_booking", third, "ill")
    assert member.soon_shows()
    assert member.failures() == []


def test_a_class_that_is_moved_moves_in_the_calendar(member: Member) -> None:
    booking = member.book()
    assert member.soon_shows((booking, TEN))
    member.sql(
        "update pilates_schedule_slots set start_time = start_time + interval '5 min' where id = %s", member.slots[0]
    )
    assert member.soon_shows((booking, TEN.replace(minute=5)))


def test_the_autumn_hour_that_comes_twice_is_one_instant(member: Member) -> None:
    member.sql(
        "update pilates_schedule_slots set date = '2030-10-27', start_time = '03:30' where id = %s", member.slots[0]
    )
    booking = member.book()
    (right,) = member.sql("select studio.starts_at('2030-10-27', '03:30')")[0]
    assert member.soon_shows((booking, right.astimezone(UTC)))


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (Fault.BEFORE_500, 1),
        (Fault.BEFORE_503, 3),
        (Fault.AFTER_500, 1),
        (Fault.ANSWER_LOST, 2),
        (Fault.REQUEST_LOST, 4),
        (Fault.STALLED, 1),
    ],
)
def test_what_fails_is_told_again_and_stands_once(member: Member, fault: Fault, times: int) -> None:
    member.plan(fault, times)
    booking = member.book()
    assert wait_until(lambda: len(member.failures()) >= 1, PATIENCE)
    assert member.soon_shows((booking, TEN))
    assert len(member.failures()) == times


def test_what_is_delivered_twice_stands_once(member: Member) -> None:
    member.plan(Fault.TWICE, 2)
    booking = member.book()
    assert member.soon_shows((booking, TEN))


def test_a_later_event_waits_for_the_earlier_one(member: Member) -> None:
    member.plan(Fault.BEFORE_503, 4)
    booking = member.book()
    assert wait_until(lambda: member.failures() != [], PATIENCE)
    member.cancel(booking)
    tries = []
    while waiting := member.waiting():
        tries.append(waiting)
        assert waiting in ([("cancelled", 0)], [("booked", waiting[0][1]), ("cancelled", 0)])
    assert [("booked", 2), ("cancelled", 0)] in tries
    assert member.soon_shows()
    order = "select event from pilates_calendar_outbox where user_id = %s order by delivered_at"
    assert [event for (event,) in member.sql(order, member.user_id)] == ["booked", "cancelled"]


def test_a_worker_killed_between_sending_and_noting_tells_again(member: Member) -> None:
    member.plan(Fault.SLOW, milliseconds=3000)  # the calendar has it after half of this, the worker knows after all
    worker = now(member.studio).worker_pid
    booking = member.book()
    assert wait_until(lambda: member.shown() == [(booking, TEN)], PATIENCE)
    assert member.waiting() == [("booked", 0)]
    os.kill(worker, signal.SIGKILL)
    assert wait_until(lambda: not psutil.pid_exists(worker), PATIENCE)
    assert member.soon_shows((booking, TEN))
    assert now(member.studio).worker_pid != worker


def test_a_killed_calendar_comes_back_with_what_it_had(member: Member) -> None:
    first = member.book()
    assert member.soon_shows((first, TEN))
    killed = now(member.studio).calendar_pid
    os.kill(killed, signal.SIGKILL)
    second = member.call("reschedule_pilates_booking", first, member.user_id, member.slots[1])
    assert member.soon_shows((second, TWELVE))
    assert now(member.studio).calendar_pid != killed


def test_rows_that_vanish_are_no_error(member: Member) -> None:
    worker = now(member.studio).worker_pid
    member.plan(Fault.BEFORE_503, 100)
    member.book()
    assert wait_until(lambda: member.failures() != [], PATIENCE)
    member.sql("delete from pilates_calendar_outbox where user_id = %s", member.user_id)
    other = Member(member.studio, member.db)
    booking = other.book()
    assert other.soon_shows((booking, TEN))
    other.remove()
    assert now(member.studio).worker_pid == worker


def test_nobody_gets_in_without_the_password(studio: embedded.Studio) -> None:
    bare = studio.calendar_url.split("@")[1]
    for url in (f"http://{bare}", f"http://studio:guessed@{bare}"):
        assert requests.request("PROPFIND", url, timeout=PATIENCE).status_code == requests.codes.unauthorized
    assert studio.calendar_url.split("@")[0].split(":")[-1] not in repr(studio)


def test_the_worker_may_do_nothing_else(studio: embedded.Studio) -> None:
    settings = psutil.Process(now(studio).worker_pid).environ()
    with closing(psycopg2.connect(settings["PILATES_DATABASE_URL"])) as connection:
        for statement in (
            "select from pilates_calendar_outbox",
            "delete from pilates_calendar_outbox",
            "update pilates_bookings set status = 'cancelled'",
            "select from pilates_schedule_slots",
            "select from pilates_audit_log",
            "select book_pilates_class(null, null)",
            "set role service_role",
        ):
            with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
            connection.rollback()


def test_a_worker_that_gives_up_is_caught(tmp_path: Path) -> None:
    overlay = "tools/mutants/calendar-gives-up.sql"
    command = [sys.executable, "-m", "robot", "--variable", f"OVERLAY:{overlay}", "--test", "T-CAL-002*"]
    done = subprocess.run(
        [*command, "-d", tmp_path, "suites/priority"],
        cwd=ROOT,
        env={**os.environ, "ROBOT_OPTIONS": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    words = " ".join(done.stdout.split())
    assert "P0 I10 the calendar converges to the bookings" in words
    assert "which is cancelled" in words


def overtaken(one: Member) -> bool:
    """Let the delivery of a booking fail, cancel it meanwhile, and say whether the calendar keeps it."""
    one.plan(Fault.BEFORE_503)
    booking = one.book()
    assert wait_until(lambda: one.failures() != [], PATIENCE)
    later = "update pilates_calendar_outbox set next_attempt_at = now() + interval '1 second' where booking_id = %s"
    one.sql(later, booking)
    one.cancel(booking)
    assert wait_until(lambda: not one.waiting(), PATIENCE)
    return one.shown() != []


def test_a_worker_that_lets_events_overtake_is_caught(member: Member) -> None:
    assert not overtaken(member)
    overlay = ROOT / "tools/mutants/calendar-overtakes.sql"
    with (
        closing(embedded.attach(SUPERVISOR, [overlay], grace=0.5)) as broken,
        closing(psycopg2.connect(broken.database_url)) as connection,
    ):
        connection.autocommit = True
        one = Member(broken, connection)
        assert overtaken(one)
        rows = one.sql("select row_to_json(b) from pilates_bookings b where user_id = %s", one.user_id)
        after = Snapshot("2030-01-01", [], [], [row for (row,) in rows], [], [])
        shown = calendar.read(broken.calendar_url, [one.user_id])
        (sentence,) = calendar.differences(after, shown, frozenset(), "Europe/Athens")
        assert sentence.endswith("which is cancelled.")


ROW = {"id": "b1", "user_id": "anna", "slot_id": "ten", "status": "confirmed"}
EVENT = {"booking_id": "b1", "event": "booked", "delivered_at": "2030-01-01", "attempts": 0, "last_error": None}
SLOT = {"id": "ten", "date": "2030-01-15", "start_time": "10:00:00.5"}
SHOWN = Entry("anna", "b1", TEN)


@pytest.mark.parametrize(
    ("row", "event", "shown", "words"),
    [
        (ROW, EVENT, [SHOWN], None),
        (ROW, EVENT, [], "shows it 0 times, not once"),
        (ROW, EVENT, [SHOWN, SHOWN], "shows it 2 times, not once"),
        (ROW, EVENT, [Entry("anna", "b1", TWELVE)], "at 2030-01-15 10:00:00+00:00; its class is at 2030-01-15 08:00"),
        (ROW, EVENT, [SHOWN, Entry("anna", "b9", TEN)], "b9, which does not exist"),
        ({**ROW, "status": "cancelled"}, EVENT, [SHOWN], "b1, which is cancelled"),
        ({**ROW, "status": "cancelled"}, EVENT, [], None),
        ({**ROW, "status": "completed"}, EVENT, [SHOWN], None),
        (ROW, EVENT, [Entry("bob", "b1", TEN)], "the calendar of bob shows"),
        (ROW, {**EVENT, "delivered_at": None}, [SHOWN], "was booked: nobody has tried"),
        (ROW, {**EVENT, "delivered_at": None, "attempts": 2, "last_error": "500"}, [SHOWN], "2 tries failed"),
    ],
)
def test_each_disagreement_is_named(row: Any, event: Any, shown: list[Entry], words: str | None) -> None:
    after = Snapshot("2030-01-01", [], [], [row], [SLOT], [], outbox=[event])
    found = list(calendar.differences(after, shown, frozenset(), "Europe/Athens"))
    assert (words is None) == (found == [])
    assert words is None or any(words in sentence for sentence in found)


def test_what_the_case_inserted_itself_is_in_no_calendar() -> None:
    after = Snapshot("2030-01-01", [], [], [ROW], [SLOT], [], outbox=[])
    assert list(calendar.differences(after, [], frozenset({"b1"}), "Europe/Athens")) == []
    assert list(calendar.differences(after, [], frozenset(), "Europe/Athens")) != []


def test_an_entry_has_its_times_in_utc() -> None:
    text = entry(Delivery(1, "b1", "anna", "booked", None, TEN, TWELVE)).decode()
    assert {"UID:b1", "DTSTART:20300115T080000Z", "DTEND:20300115T100000Z"} <= set(text.splitlines())
