"""Keywords about classes: when they are, how many places they have, how many are taken."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from robot.api.deco import keyword, library

from acceptance import current, rows
from acceptance.client import Request
from acceptance.doubts import About
from acceptance.model import Operation, Status
from acceptance.scene import OF_THE_WEEK


@library(scope="GLOBAL", auto_keywords=False)
class ClassKeywords:
    """Makes classes, changes them, and checks how they are shown."""

    @keyword
    def create_class(self, when: str, places: str, *, name: str = "class") -> None:
        """Makes a class.

        | =Argument= | =Meaning= |
        | ``when``   | ``tomorrow at 10:00``, ``in 2 hours``, ``30 minutes ago``, ``in 6 days at 18:30`` or ``on the next spring clock change at 08:00``; the studio's local time |
        | ``places`` | how many members it holds |
        | ``name``   | ``class``, or ``other class`` for the target of a move |

        Example:
        | Create Class | tomorrow at 10:00 | 4 |
        """
        current.case().add_slot(name, when, current.count(places))

    @keyword
    def create_a_week_of_classes(self, places: str) -> None:
        """Makes a class at 18:00 on each of the next seven days, beside the scenario's own.

        Example:
        | Create A Week Of Classes | 3 places |
        """
        for day in range(1, 8):
            current.case().add_slot(f"{OF_THE_WEEK} {day}", f"in {day} days at 18:00", current.count(places))

    @keyword
    def take_places(self, count: str) -> None:
        """Lets other members hold so many places of the class.

        Example:
        | Take Places | 3 |
        """
        current.case().take_places(current.count(count))

    @keyword
    def move_the_start(self, when: str) -> None:
        """Gives the class another start, for example ``30 minutes ago``.

        Example:
        | Move The Start | 30 minutes ago |
        """
        current.case().change_slot(when=when)

    @keyword
    def switch_the_class_off(self) -> None:
        """Takes the class out of the offer; bookings stay.

        Example:
        | Switch The Class Off |
        """
        case = current.case()
        if case.plan is None:
            case.change_slot(active=False)
        else:
            case.ask(Operation.SWITCH_OFF, case.caller("studio"))

    @keyword
    def delete_the_class(self) -> None:
        """Deletes the class from the schedule, as the studio's own program does.

        Example:
        | Delete The Class |
        """
        case = current.case()
        case.ask(Operation.CALL_OFF, case.caller("studio"))

    @keyword
    def lower_the_class_to(self, places: str) -> None:
        """Lowers the number of places; bookings stay even where there are more.

        Example:
        | Lower The Class To | 2 |
        """
        case = current.case()
        if case.plan is None:
            case.change_slot(capacity=current.count(places))
        else:
            case.ask(Operation.RESIZE, case.caller("studio"), places=current.count(places))

    @keyword
    def places_taken_should_be(self, count: str) -> None:
        """Checks how many confirmed bookings the class has.

        Example:
        | Places Taken Should Be | 3 |
        """
        case = current.case()
        slot = case.slot("class")
        confirmed = [r for r in case.before().bookings if (r["slot_id"], r["status"]) == (slot, Status.CONFIRMED)]
        expected = current.count(count)
        case.expect(len(confirmed) == expected, f"expected {expected} places taken, but {len(confirmed)} are.")

    @keyword
    def start_should_be_shown_in_zone(self, zone: str) -> None:
        """Checks that a member in another time zone is shown the very instant at which the class starts.

        Example:
        | Start Should Be Shown In Zone | Asia/Tokyo |
        """
        case = current.case()
        if "starts_at" not in case.bench.catalogue.get(rows.OCCUPANCY, ()):
            self._wall_clock_should_be_shown(zone)
            return
        shown = case.read(
            Request(
                "GET",
                f"/{rows.OCCUPANCY}",
                case.caller("member"),
                params={"slot_id": f"eq.{case.slot('class')}", "select": "starts_at"},
                headers={"Prefer": f"timezone={zone}"},
            )
        )
        expected = case.starts["class"].astimezone(ZoneInfo(zone))
        seen = datetime.fromisoformat(shown[0]["starts_at"]) if shown else None
        same = seen is not None and (seen, seen.utcoffset()) == (expected, expected.utcoffset())
        words = f"expected the start {expected.isoformat()} in {zone}, but {seen} is shown."
        case.expect(same, words, About.ANY_SYSTEM)

    @staticmethod
    def _wall_clock_should_be_shown(zone: str) -> None:
        """Check date and time of the class, which are the studio's own, on a target that shows no instant."""
        case = current.case()
        shown = case.read(
            Request(
                "GET",
                "/pilates_schedule_slots",
                case.caller("member"),
                params={"id": f"eq.{case.slot('class')}", "select": "date,start_time"},
                headers={"Prefer": f"timezone={zone}"},
            )
        )
        start = case.starts["class"]
        expected = (start.date().isoformat(), start.time().isoformat())
        seen = (shown[0]["date"], shown[0]["start_time"]) if shown else None
        same = seen is not None and (seen[0], time.fromisoformat(seen[1])) == (expected[0], start.time())
        words = f"expected the class at {' '.join(expected)} studio time, but {seen} is shown in {zone}."
        case.expect(same, words, About.ANY_SYSTEM)
