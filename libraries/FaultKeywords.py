"""Keywords about faults inside the database: what goes wrong there during the next call."""

from __future__ import annotations

from robot.api.deco import keyword, library

from acceptance import current


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
