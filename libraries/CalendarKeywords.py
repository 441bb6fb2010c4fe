"""Keywords about the calendar server: what it shows, and what happens to it and to the worker that tells it."""

from __future__ import annotations

import os
import signal

from robot.api.deco import keyword, library

from acceptance import calendar, current, needs
from acceptance.errors import SuiteError
from acceptance.faults import Disturbance
from acceptance.model import Status


@library(scope="GLOBAL", auto_keywords=False)
class CalendarKeywords:
    """Looks into the members' calendars, and disturbs what is on its way there."""

    def __init__(self) -> None:
        self._worker_then: int | None = None

    @keyword
    def calendar_should_show_the_booking(self, expected: bool = True) -> None:
        """Waits until the member's calendar shows a booking that stands, or none at all.

        Example:
        | Calendar Should Show The Booking | ${False} |
        """
        case = current.case()
        member = case.people["member"].user_id
        for last in calendar.deadline():
            settled = calendar.is_settled(case.snapshot())
            shown = {entry.booking_id for entry in case.calendar_entries() if entry.user_id == member}
            mine = [row for row in case.snapshot().bookings if row["user_id"] == member]
            standing = {row["id"] for row in mine if row["status"] == Status.CONFIRMED}
            right = bool(shown & standing) if expected else not shown
            if right or settled or last:
                break
        words = "a booking that stands" if expected else "no booking"
        case.expect(right, f"expected the calendar to show {words}, but it shows {len(shown)}: {sorted(shown)}.")

    @keyword
    def calendar_should_agree(self) -> None:
        """Waits until the calendar shows each booking that stands once, at the right time, and nothing else.

        Each delivery that failed must have been written into the audit log by then.

        Example:
        | Calendar Should Agree |
        """
        case = current.case()
        case.await_calendar()
        case.expect(True, "")
        if case.last is None or case.last.audit is None or case.last.outbox is None:
            return
        told = sum(1 for entry in case.last.audit if entry["operation"] == "calendar")
        noted = sum(row["attempts"] for row in case.last.outbox if row["trace_id"] == case.trace_id)
        case.expect(told == noted, f"{noted} failed tries were counted, but the audit log tells of {told}.")
        planned = sum(one["times"] for one in case.network.planned if one["leg"] == "calendar")
        # A worker that was killed meanwhile, maybe by another case, could not note its last failure.
        if told < planned and self._worker() == self._worker_then:
            case.expect(False, f"{planned} deliveries failed, but the audit log tells of {told}.")

    @keyword
    def disturb_the_calendar(self, what: str) -> None:
        """Lets the next deliveries to the calendar fail; a fault that never happens fails the case.

        | =Argument= | =Meaning= |
        | ``what``   | ``the calendar answers 500``, ``the calendar answers 503 3 times``, ``the calendar does not answer in time``, ``the calendar's answer is lost`` or ``the calendar is down for a while`` |

        Example:
        | Disturb The Calendar | the calendar answers 500 |
        """
        if what not in calendar.FAULTS:
            raise SuiteError(f"there is no fault {what!r}; known: {', '.join(calendar.FAULTS)}.")
        case = current.case()
        needs.calendar_to_disturb(case.bench.target, case.network.url)
        self._worker_then = self._worker()
        fault, times = calendar.FAULTS[what]
        case.network.plan_for_calendar(Disturbance(fault), times)

    @staticmethod
    def _worker() -> int | None:
        """Return the worker's present process id, where we can know it."""
        lease = current.case().bench.target.lease
        if lease is None:
            return None
        lease.refresh()
        return lease.worker_pid

    @keyword
    def kill_the_calendar_worker(self) -> None:
        """Kills the process that tells the calendar, as a crash does; the studio starts it again by itself.

        Example:
        | Kill The Calendar Worker |
        """
        needs.calendar_worker(current.case().bench.target)
        worker = self._worker()
        if worker:
            os.kill(worker, signal.SIGKILL)
