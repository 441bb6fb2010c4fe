"""Turns a scenario's words for a class's start into the studio's local date and time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from acceptance.errors import SuiteError

UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
LENGTH = timedelta(minutes=55)
SEASONS = {"spring": 1, "autumn": -1}

_FROM_NOW = re.compile(r"in (\d+) (minute|hour)s?")
_AGO = re.compile(r"(\d+) (minute|hour)s? ago")
_ON_A_DAY = re.compile(r"(?:tomorrow|in (\d+) days) at (\d\d):(\d\d)")
_CLOCK_CHANGE = re.compile(r"on the next (spring|autumn) clock change at (\d\d):(\d\d)")


def start_of(when: str, now: datetime, zone: str) -> datetime:
    """Work out when a class starts.

    Args:
        when: "in 20 minutes", "in 2 hours", "30 minutes ago", "tomorrow at 00:15", "in 6 days at 18:30" or
            "on the next spring clock change at 02:30" (autumn likewise).
        now: the database's present instant, with a time zone.
        zone: the studio's zone; wall clock times are meant in it.

    Returns:
        The start in the studio's zone.

    Raises:
        SuiteError: when the words are none of these.
    """
    local = ZoneInfo(zone)
    here = now.astimezone(local)
    if match := _FROM_NOW.fullmatch(when):
        return (now.astimezone(UTC) + int(match[1]) * UNITS[match[2]]).astimezone(local)
    if match := _AGO.fullmatch(when):
        return (now.astimezone(UTC) - int(match[1]) * UNITS[match[2]]).astimezone(local)
    if match := _ON_A_DAY.fullmatch(when):
        day = here.date() + timedelta(days=int(match[1] or 1))
        return datetime.combine(day, time(int(match[2]), int(match[3])), local)
    if match := _CLOCK_CHANGE.fullmatch(when):
        day = next_clock_change(here, SEASONS[match[1]])
        return datetime.combine(day, time(int(match[2]), int(match[3])), local)
    raise SuiteError(
        f"a class cannot start {when!r}; say for example 'tomorrow at 10:00', 'in 2 hours', '30 minutes ago' or "
        "'on the next spring clock change at 08:00'."
    )


def next_clock_change(here: datetime, direction: int) -> datetime:
    """Find the next day after ``here`` on which the clocks go forward (direction 1) or back (-1), within a year.

    Raises:
        SuiteError: when the zone does not change its clocks.
    """
    noon = datetime.combine(here.date(), time(12), here.tzinfo)
    for days in range(1, 400):
        day, previous = noon + timedelta(days=days), noon + timedelta(days=days - 1)
        change = (day.utcoffset() or timedelta()) - (previous.utcoffset() or timedelta())
        if change * direction > timedelta():
            return day
    raise SuiteError(f"the zone {here.tzinfo} does not change its clocks; no class can be on such a day.")
