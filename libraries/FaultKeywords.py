"""Keywords about faults inside the database: what goes wrong there during the next call."""

from __future__ import annotations

from robot.api.deco import keyword, library
from robot.libraries.BuiltIn import BuiltIn

from acceptance import current, schedule
from acceptance.client import Outcome
from acceptance.model import Operation

# What puts everything back as it was, by the sentence that is to fail.
_UNDONE_BY = {
    "the member books the class": (Operation.BOOK, "the member cancels the booking"),
    "the member cancels the booking": (Operation.CANCEL, "the member books the class"),
    "the front desk removes the booking": (Operation.ADMIN_REMOVE, "the member books the class"),
    "the member moves the booking to the other class": (
        Operation.RESCHEDULE,
        "the member moves the booking to the same class",
    ),
}


@library(scope="GLOBAL", auto_keywords=False)
class FaultKeywords:
    """Plans what happens inside the database when the next call gets to a fault point.

    Fault points are ``deposit``, ``booking``, ``slot``, ``audit`` or ``calendar``, a dot, and ``insert``, ``update``,
    ``delete`` (just before it) or ``inserted``, ``updated``, ``deleted`` (just after it); ``first change`` and
    ``commit``. A fault that never took place fails the case as *not exercised*.
    """

    @keyword
    def let_the_database_fail(self, point: str, sqlstate: str) -> None:
        """Lets the database refuse to go on.

        | =Argument=   | =Meaning= |
        | ``point``    | the fault point |
        | ``sqlstate`` | ``40001`` serialization failure, ``40P01`` deadlock, ``57014`` time-out, ``53100`` disk full ... |

        Example:
        | Let The Database Fail | booking.insert | 40001 |
        """
        current.case().faults.append((point, "raise", sqlstate))

    @keyword
    def fail_at_every_point(self, fault: str, action: str) -> None:
        """Lets a call meet the same fault at each of its fault points, one after the other, and act in the end.

        At each point the call is made, then repeated as an app does that got no answer, and then undone. After every
        one of these calls everything that must always hold is checked.

        | =Argument= | =Meaning= |
        | ``fault``  | ``fails with``, a space and an error code, or ``connection dies`` |
        | ``action`` | a sentence: the member books, cancels or moves, or the front desk removes |

        Example:
        | Fail At Every Point | fails with 57014 | the member books the class |
        """
        case, run = current.case(), BuiltIn().run_keyword
        operation, undo = _UNDONE_BY[action]
        for point in schedule.points(operation, case.bench.catalogue):
            code = fault.removeprefix("fails with ")
            self.let_the_connection_die(point) if code == fault else self.let_the_database_fail(point, code)
            run(action)
            if case.done().happened and not case.bench.contract.idempotent:
                run(undo)  # the app's own tries got there, and without a key nobody asks again for what is there
                continue
            case.repeat()
            case.expect(
                case.done().reply.outcome is Outcome.ACCEPTED,
                f"after {fault!r} at {point} the repeated request should be accepted, but it was"
                f" {case.done().reply.described()}.",
            )
            run(undo)

    @keyword
    def let_the_connection_die(self, point: str) -> None:
        """Ends the server process that works on the call, as a crash or an administrator would.

        Example:
        | Let The Connection Die | deposit.update |
        """
        current.case().faults.append((point, "kill", None))

    @keyword
    def let_the_database_take(self, point: str, milliseconds: str) -> None:
        """Lets the database take its time before it goes on.

        Example:
        | Let The Database Take | commit | 50 |
        """
        current.case().faults.append((point, "delay", milliseconds))
