"""Delivers the outbox to the calendar: what the studio has committed, the calendar is told, once and in order.

    PILATES_DATABASE_URL=... PILATES_CALENDAR_URL=http://user:password@host:port/user/ \
        python -m tools.studio.calendar_worker

Each member has a collection, each booking one event in it whose UID is the booking's id. So a delivery that is
repeated, because its answer was lost or we were killed before we noted it, finds the same event again: at least once
on the wire is exactly once in the calendar. A row stays locked from its choice to its mark, so several of us never
meet, and one that is killed lets go at once. A booking's later event waits until the earlier one is delivered.

What may be done to the outbox stands in ``sql/48_calendar.sql``; the worker's role may call those functions, no more.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
import urllib3
from icalendar import Calendar, Event
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

POLL_SECONDS = 0.2
THREADS = 4  # one that waits for an answer holds up nobody else
BATCH = 1  # a row is locked while it is told; whoever removes it waits no longer than for its own delivery
TIMEOUT_SECONDS = 2.0
AGAIN_SECONDS = 0.2  # after the database went away
MOST_KNOWN = 10_000
CREATED, NO_CONTENT, OK = 201, 204, 200
NOT_FOUND, GONE, CONFLICT, EXISTS = 404, 410, 409, 412


class NotDelivered(Exception):  # noqa: N818 - an outcome, not an error of ours
    """The calendar has not taken an event; it will be tried again."""


@dataclass(frozen=True)
class Delivery:
    """One row of the outbox. ``starts_at`` is None when the class is gone; then there is nothing to enter."""

    id: int
    booking_id: str
    user_id: str
    event: str
    trace_id: str | None
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass
class CalendarClient:
    """Tells a CalDAV server.

    Args:
        url: the collections' parent, with user and password.
        timeout: seconds until an answer is given up.
    """

    url: str = field(repr=False)
    timeout: float = TIMEOUT_SECONDS
    _known: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._path = parts.path.rstrip("/")
        self._pool = urllib3.HTTPConnectionPool(
            parts.hostname or "", parts.port, timeout=self.timeout, retries=False, maxsize=THREADS
        )
        account = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self._headers = {**urllib3.make_headers(basic_auth=account), "Content-Type": "text/calendar; charset=utf-8"}

    def deliver(self, delivery: Delivery) -> None:
        """Bring the calendar to where this event says it is; harmless when it is there already.

        Raises:
            NotDelivered: when the calendar refuses, answers nonsense or does not answer.
        """
        if delivery.event == "cancelled" or delivery.starts_at is None:
            self._send("DELETE", delivery, (OK, NO_CONTENT, NOT_FOUND, GONE))
        elif delivery.user_id in self._known or not self._begin(delivery):
            status = self._send("PUT", delivery, (OK, CREATED, NO_CONTENT, CONFLICT), entry(delivery))
            if status == CONFLICT:
                self._known.pop(delivery.user_id, None)
                raise NotDelivered("the member's collection is gone")

    def _begin(self, delivery: Delivery) -> bool:
        """Make a new member's collection with its first event; False when the member has one already.

        Radicale takes both in one PUT; MKCALENDAR and then PUT would take half as much time again.
        """
        status = self._send("PUT", delivery, (CREATED, EXISTS), entry(delivery), collection=True)
        while len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[delivery.user_id] = None
        return status == CREATED

    def _send(
        self, method: str, delivery: Delivery, good: tuple[int, ...], body: bytes = b"", *, collection: bool = False
    ) -> int:
        path = f"{self._path}/{delivery.user_id}/" + ("" if collection else f"{delivery.booking_id}.ics")
        headers = {**self._headers, "X-Trace-Id": delivery.trace_id or ""}
        if collection:
            headers["If-None-Match"] = "*"
        try:
            answer = self._pool.urlopen(method, path, body=body or None, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise NotDelivered(f"{method}: {type(error).__name__}") from error
        if answer.status not in good:
            raise NotDelivered(f"{method}: {answer.status}")
        return answer.status


def entry(delivery: Delivery) -> bytes:
    """Write a booking as iCalendar.

    The start is an instant in UTC: it says which of the two half past three of an autumn night is meant, every
    calendar shows it in its owner's zone, and Radicale needs 0.8 ms for it; with TZID it needs 57 ms (vobject writes
    the zone's history), with a VTIMEZONE of ours 7 ms.
    """
    event = Event()
    event.add("uid", delivery.booking_id)
    event.add("dtstamp", datetime.now(UTC))
    event.add("summary", "Pilates")
    if delivery.starts_at is not None:
        event.add("dtstart", delivery.starts_at.astimezone(UTC))
        if delivery.ends_at is not None and delivery.ends_at > delivery.starts_at:
            event.add("dtend", delivery.ends_at.astimezone(UTC))
    calendar = Calendar()
    calendar.add("prodid", "-//pilates acceptance//reference studio//EN")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text


def deliver_due(connection: Connection, client: CalendarClient) -> int:
    """Take what is due, tell the calendar, and note what came of it, all in one transaction.

    Returns:
        How many rows were taken.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("select * from studio.calendar_due(%s)", (BATCH,))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        delivered, failed = [], []
        for delivery in (Delivery(*row) for row in rows):
            try:
                client.deliver(delivery)
                delivered.append(delivery.id)
            except NotDelivered as error:
                failed.append((delivery.id, str(error)))
        if delivered:
            cursor.execute("select studio.calendar_delivered(%s)", (delivered,))
        for number, words in failed:
            cursor.execute("select studio.calendar_failed(%s, %s)", (number, words))
    return len(rows)


def work(database_url: str, client: CalendarClient) -> None:
    """Deliver for ever; wait while there is nothing to do or no database."""
    while True:
        try:
            with closing(psycopg2.connect(database_url, application_name="calendar worker")) as connection:
                while True:
                    if deliver_due(connection, client) < BATCH:
                        time.sleep(POLL_SECONDS)
        except psycopg2.OperationalError as error:
            print(f"calendar worker: the database is away: {error}".strip(), file=sys.stderr, flush=True)
            time.sleep(AGAIN_SECONDS)


def main() -> int:
    """Read the command line and work until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds to wait for the calendar")
    parser.add_argument("--threads", type=int, default=THREADS, help="deliveries at the same time")
    options = parser.parse_args()
    client = CalendarClient(os.environ["PILATES_CALENDAR_URL"], options.timeout)
    threads = [
        threading.Thread(target=_work_or_die, args=(os.environ["PILATES_DATABASE_URL"], client), daemon=True)
        for _ in range(options.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 1


def _work_or_die(database_url: str, client: CalendarClient) -> None:
    """End the whole process with its words when a thread meets what it does not expect; it is started again."""
    try:
        work(database_url, client)
    except BaseException as error:
        print(f"calendar worker: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
