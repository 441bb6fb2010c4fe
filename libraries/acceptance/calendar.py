"""What the members' calendars show, read as a phone reads them (CalDAV), and whether it is what is booked.

A member's calendar is the collection ``<calendar_url>/<user id>/``; each booking is an event whose UID is its id.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.util import Retry

from acceptance.errors import SuiteError
from acceptance.faults import Fault
from acceptance.model import STANDING
from acceptance.snapshot import Snapshot

PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.05
ANSWER_SECONDS = 10
AGAIN = 2  # tries after the first

# What can happen to a delivery, in a scenario's words: the fault, and how often. "For a while" is about two seconds.
FAULTS: dict[str, tuple[Fault, int]] = {
    "the calendar answers 500": (Fault.BEFORE_500, 1),
    "the calendar answers 503 3 times": (Fault.BEFORE_503, 3),
    "the calendar does not answer in time": (Fault.STALLED, 1),
    "the calendar's answer is lost": (Fault.ANSWER_LOST, 1),
    "the calendar is down for a while": (Fault.REQUEST_LOST, 4),
}


@dataclass(frozen=True)
class Entry:
    """One event in a member's calendar."""

    user_id: str
    booking_id: str
    starts_at: datetime


def read(calendar_url: str, users: Iterable[str]) -> list[Entry]:
    """Read all events of some members.

    Args:
        calendar_url: the collections' parent, with user and password.
        users: whose calendars; who has none has no events.

    Raises:
        SuiteError: when the calendar does not answer.
    """
    from caldav import DAVClient  # here, since it takes 0.3 s to load and most cases never look
    from caldav.lib.error import DAVError, NotFoundError

    parts = urlsplit(calendar_url)
    place = parts._replace(netloc=f"{parts.hostname}:{parts.port}").geturl().rstrip("/")
    found = []
    account = HTTPBasicAuth(unquote(parts.username or ""), unquote(parts.password or ""))
    with DAVClient(place, auth=account, timeout=ANSWER_SECONDS) as client:
        client.session.trust_env = False
        # Nobody's booking depends on this look; a server that is just being started again may be asked once more.
        client.session.mount("http", HTTPAdapter(max_retries=Retry(AGAIN, allowed_methods=None, backoff_factor=0.1)))
        for user_id in users:
            try:
                events = client.calendar(url=f"{place}/{user_id}/").events()
            except NotFoundError:
                continue
            except (DAVError, requests.RequestException) as error:
                raise SuiteError(f"the calendar at {place} does not answer: {type(error).__name__}.") from None
            for event in events:
                component = event.icalendar_component
                start = component["dtstart"].dt
                found.append(Entry(user_id, str(component["uid"]), start.astimezone(UTC)))
    return found


def differences(after: Snapshot, entries: Iterable[Entry], given: frozenset[str], zone: str) -> Iterator[str]:
    """Say where the calendars and the bookings disagree: one sentence each, none when they agree.

    Args:
        after: the case's rows.
        entries: what the calendars of its members show.
        given: bookings that the case inserted itself; of those the calendar knows only what was told of them later.
        zone: the studio's, in which dates and times of classes are meant.
    """
    told = {event["booking_id"] for event in after.outbox or [] if event["event"] != "cancelled"}
    slots = {row["id"]: row for row in after.slots}
    entries = list(entries)
    shown = Counter((entry.user_id, entry.booking_id) for entry in entries)
    starts = {entry.booking_id: entry.starts_at for entry in entries}
    due: set[tuple[str, str]] = set()
    for row in after.bookings:
        if row["status"] not in STANDING or (row["id"] in given and row["id"] not in told):
            continue
        due.add((row["user_id"], row["id"]))
        count = shown[(row["user_id"], row["id"])]
        if count != 1:
            yield f"the booking {row['id']} is {row['status']}, and the calendar shows it {count} times, not once."
        elif row["slot_id"] in slots and starts[row["id"]] != (right := _start(slots[row["slot_id"]], zone)):
            yield f"the calendar shows the booking {row['id']} at {starts[row['id']]}; its class is at {right}."
    status = {row["id"]: row["status"] for row in after.bookings}
    for user_id, booking_id in shown.keys() - due:
        said = f"is {status[booking_id]}" if booking_id in status else "does not exist"
        yield f"the calendar of {user_id} shows the booking {booking_id}, which {said}."
    for event in after.outbox or []:
        if event.get("delivered_at") is None and "delivered_at" in event:
            what = f"the booking {event['booking_id']} was {event['event']}"
            yield f"the calendar was not told that {what}: {_why(event)}."


def is_settled(rows: Snapshot) -> bool:
    """Tell whether everything was delivered, so that there is nothing left to wait for."""
    return rows.outbox is not None and all(event.get("delivered_at", "unknown") for event in rows.outbox)


def _why(event: dict[str, Any]) -> str:
    tries = event.get("attempts") or 0
    return f"{tries} tries failed, the last with {event.get('last_error')}" if tries else "nobody has tried"


def _start(slot: dict[str, Any], zone: str) -> datetime:
    """Return a class's start as its calendar entry has it: in UTC, to the second."""
    local = datetime.fromisoformat(f"{slot['date']}T{slot['start_time']}").replace(tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC).replace(microsecond=0)


def remove(calendar_url: str, users: Iterable[str]) -> None:
    """Remove the calendars of members who are gone; who has none is no error.

    Raises:
        SuiteError: when the calendar does not answer.
    """
    with requests.Session() as session:
        session.trust_env = False
        for user_id in users:
            try:
                answer = session.delete(f"{calendar_url.rstrip('/')}/{user_id}/", timeout=ANSWER_SECONDS)
            except requests.RequestException as error:
                raise SuiteError(f"the calendar does not answer: {type(error).__name__}.") from None
            if not answer.ok and answer.status_code != requests.codes.not_found:
                raise SuiteError(f"the calendar does not remove a member's entries: {answer.status_code}.")


def deadline(seconds: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Give turns to look until the time is over; the last turn is True."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield False
        time.sleep(POLL_SECONDS)
    yield True
