"""Calls that meet: what a race does otherwise than the studio shows in one of them."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from tools.selftest.calls import EMPTY
from tools.selftest.mutants.story import Story, person
from tools.studio.rules import CHANGE, apply_file

Part = Callable[[Story], Any]


class Meeting:
    """Calls that meet: one within an open transaction, the others come while it is open, then it commits."""

    def __init__(self, url: str):
        options = "-c deadlock_timeout=20ms -c plan_cache_mode=force_generic_plan"
        self.connections = [psycopg2.connect(url, options=options) for _ in range(4)]
        self.watcher = psycopg2.connect(url)
        self.watcher.autocommit = True

    def begin(self) -> None:
        """Begin with empty tables, and with what comes before the meeting, which ``before`` is told."""
        with self.connections[0].cursor() as cursor:
            cursor.execute(EMPTY)
        self.before = Story(self.connections[0])

    def meet(self, first: Part, *others: Part, last: Part | None = None) -> list[str]:
        """Return what everybody was told, and what the tables hold afterwards; ``last`` is what the first does yet."""
        self.connections[0].commit()
        stories = [copy.copy(self.before) for _ in range(len(others) + 1)]
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
        self.before.keep()
        self.connections[0].commit()
        told = [line for story in (*stories, self.before) for line in story.told]
        return [line for line in told if not line.startswith("entry")]

    def close(self) -> None:
        for connection in (*self.connections, self.watcher):
            connection.close()

    @staticmethod
    def _alone(tell: Part, story: Story) -> None:
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
RACES: dict[str, str] = {}  # a mutant: the meeting that shows it; a control is put through all of them


def meeting(*mutants: str) -> Callable[[Meet], Meet]:
    """Register calls that meet, and the mutants that show in them."""

    def register(tell: Meet) -> Meet:
        MEETINGS[tell.__name__] = tell
        RACES.update(dict.fromkeys(mutants, tell.__name__))
        return tell

    return register


def meet_on(url: str, meetings: Iterable[str], overlay: Path | None = None) -> dict[str, list[str]]:
    """Hold meetings on a new database, with an overlay if there is one."""
    if overlay is not None:
        with closing(psycopg2.connect(url)) as connection:
            connection.cursor().execute(CHANGE)
            apply_file(connection, overlay)
            connection.commit()
    found = {}
    with closing(Meeting(url)) as meeting:
        for name in meetings:
            meeting.begin()
            found[name] = MEETINGS[name](meeting)
    return found


def cancels(booking: str) -> Part:
    return lambda s: s.cancel("anna", booking)


def books(who: str, slot_id: str) -> Part:
    return lambda s: s.book(who, slot_id)


def moves(who: str, booking: str, slot_id: str) -> Part:
    return lambda s: s.move(who, booking, slot_id)


def booked(m: Meeting) -> str:
    m.before.deposit("anna", 5)
    return m.before.book("anna", m.before.slot("room"))


@meeting("book-counts-before-lock", "book-locks-member-not-class", "book-share-lock", "book-without-lock")
def two_want_the_last_place(m: Meeting) -> list[str]:
    m.before.deposits(2, "anna", "bob")
    room = m.before.slot("room", 1)
    return m.meet(books("anna", room), books("bob", room))


@meeting("book-does-not-wait", "book-skips-locked-class")
def two_book_a_class_with_room(m: Meeting) -> list[str]:
    m.before.deposits(2, "anna", "bob")
    room = m.before.slot("room")
    return m.meet(books("anna", room), books("bob", room))


@meeting("book-skips-locked-deposit", "deposit-read-before-lock")
def one_books_two_classes(m: Meeting) -> list[str]:
    m.before.deposit("anna", 5)
    room, other = m.before.rooms("room", "other")
    return m.meet(books("anna", room), books("anna", other))


@meeting("book-without-deposit-lock")
def one_books_two_classes_with_the_last(m: Meeting) -> list[str]:
    m.before.deposit("anna", 1)
    room, other = m.before.rooms("room", "other")
    return m.meet(books("anna", room), books("anna", other))


@meeting("cancel-reads-before-lock", "refund-twice")
def two_cancel(m: Meeting) -> list[str]:
    booking = booked(m)
    return m.meet(cancels(booking), cancels(booking))


@meeting("remove-reads-before-lock")
def one_cancels_and_the_desk_removes(m: Meeting) -> list[str]:
    booking = booked(m)
    return m.meet(cancels(booking), lambda s: s.call("eve", "remove", booking))


@meeting("confirm-reads-before-lock", "confirm-without-lock")
def one_cancels_and_the_trainer_confirms(m: Meeting) -> list[str]:
    booking = booked(m)
    return m.meet(cancels(booking), lambda s: s.call("tom", "confirm", booking, person("anna")))


@meeting("reschedule-reads-before-lock")
def one_cancels_and_moves(m: Meeting) -> list[str]:
    booking, other = booked(m), m.before.slot("other", starts="3 days")
    return m.meet(cancels(booking), moves("anna", booking, other))


@meeting("refund-writes-stale-count")
def one_books_and_cancels(m: Meeting) -> list[str]:
    booking, other = booked(m), m.before.slot("other", starts="3 days")
    return m.meet(books("anna", other), cancels(booking))


@meeting("reschedule-locks-old-class-only")
def two_move_to_the_last_place(m: Meeting) -> list[str]:
    m.before.deposits(2, "anna", "bob")
    room, other = m.before.slot("room"), m.before.slot("other")
    first, second, last = m.before.book("anna", room), m.before.book("bob", other), m.before.slot("last", 1)
    return m.meet(moves("anna", first, last), moves("bob", second, last))


@meeting("reschedule-locks-in-order-of-travel")
def two_swap_their_classes(m: Meeting) -> list[str]:
    """One of them is half way: the class with the lower id is locked, as the studio's order wants it."""

    def lock(s: Story, slot_id: str) -> None:
        try:
            s.sql("select id from pilates_schedule_slots where id = %s for update", slot_id)
        except psycopg2.errors.DeadlockDetected:
            s.cursor.connection.rollback()
            s.told.append("deadlock")

    m.before.deposit("bob", 2)
    low, high = sorted(m.before.slot(name) for name in ("room", "other"))
    booking = m.before.book("bob", high)
    return m.meet(lambda s: lock(s, low), moves("bob", booking, low), last=lambda s: lock(s, high))


@meeting("cancel-locks-deposit-first")
def one_books_again_and_cancels_while_the_class_is_locked(m: Meeting) -> list[str]:
    booking = booked(m)
    return m.meet(
        lambda s: s.sql("select id from pilates_schedule_slots for update"),
        books("anna", person("room")),
        cancels(booking),
    )


@meeting("expire-writes-stale-count")
def a_class_comes_back_while_the_deposit_ends(m: Meeting) -> list[str]:
    booking = booked(m)
    m.before.sql("update pilates_deposits set expires_at = now() - interval '1 hour'")
    return m.meet(cancels(booking), lambda s: s.call("eve", "expire"))


@meeting("key-looked-up-first")
def one_request_arrives_twice(m: Meeting) -> list[str]:
    return m.meet(*[lambda s: s.call("eve", "credit", person("anna"), 2, key="sale")] * 2)
