"""Keywords about crashes: something of a private studio is killed, and what was acknowledged must be there still."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from robot.api import logger
from robot.api.deco import keyword, library

from acceptance import crash, current
from acceptance.crash import Moment
from acceptance.errors import SuiteError
from acceptance.model import Status
from acceptance.recovery import Victim

Word = TypeVar("Word", Victim, Moment)


@library(scope="GLOBAL", auto_keywords=False)
class CrashKeywords:
    """Kills the API or the database of a private studio, and judges what is there when they are back."""

    @keyword
    def let_members_book_and_cancel_while_killed(self, victim: str) -> None:
        """Lets all members of the case book and cancel at once, kills something meanwhile, and waits for its return.

        Each member has a device drawn from ``data/devices.yaml``. Every second one's app repeats what got no answer,
        with the same key; the others' do not. When it is killed is drawn from the case's seed: after so many accepted
        calls. A crash that no call has met fails the case as not exercised.

        | =Argument= | =Meaning= |
        | ``victim`` | ``the database``, ``one process of the database``, ``the API`` or ``both`` |

        Example:
        | Let Members Book And Cancel While Killed | the database |
        """
        case = current.case()
        calls = crash.kill_under_load(case, _one_of(Victim, victim))
        counts = ", ".join(f"{count} {name}" for name, count in crash.counted(calls).items())
        logger.info(f"{case.crashes[-1]}: {counts}.")

    @keyword
    def break_the_next_commit(self, moment: str) -> None:
        """Lets the next change be committed, while nobody is told.

        | =Argument= | =Meaning= |
        | ``moment`` | ``the commit's answer is lost`` or ``the database is killed at the commit`` |

        Example:
        | Break The Next Commit | the commit's answer is lost |
        """
        crash.break_next_commit(current.case(), _one_of(Moment, moment))

    @keyword
    def let_the_app_give_up_at_once(self) -> None:
        """Lets the member's app try only once, whatever its device usually does.

        Example:
        | Let The App Give Up At Once |
        """
        people = current.case().people
        people["member"] = replace(people["member"], device=replace(people["member"].device, retries=0))

    @keyword
    def acknowledged_should_be_there(self) -> None:
        """Checks that every accepted call's effect is in the rows, with everything else that must always hold.

        Example:
        | Acknowledged Should Be There |
        """
        _expect_what_must_hold_after_a_crash()

    @keyword
    def refused_should_not_be_there(self) -> None:
        """Checks that no refused call's effect is in the rows, with everything else that must always hold.

        Example:
        | Refused Should Not Be There |
        """
        _expect_what_must_hold_after_a_crash()

    @keyword
    def unanswered_should_be_whole_or_not_there(self) -> None:
        """Checks that what got no answer is there with its deposit, audit entry and calendar event, or not at all.

        Example:
        | Unanswered Should Be Whole Or Not There |
        """
        _expect_what_must_hold_after_a_crash()

    @keyword
    def last_answer_should_name_the_standing_booking(self) -> None:
        """Checks that the last answer is about the one booking of the member that stands.

        Example:
        | Last Answer Should Name The Standing Booking |
        """
        case = current.case()
        wanted = (case.people["member"].user_id, Status.CONFIRMED)
        standing = [row["id"] for row in case.snapshot().bookings if (row["user_id"], row["status"]) == wanted]
        said = case.done().said("booking_id")
        case.expect(standing == [said], f"the answer names the booking {said}, and {standing or 'none'} stands.")


def _expect_what_must_hold_after_a_crash() -> None:
    case = current.case()
    if not case.crashes:
        raise SuiteError("nothing was killed in this scenario.")
    case.expect(True, "")


def _one_of(kind: type[Word], words: str) -> Word:
    try:
        return kind(words)
    except ValueError:
        known = ", ".join(f'"{one}"' for one in kind)
        raise SuiteError(f"there is no crash {words!r}; known: {known}.") from None
