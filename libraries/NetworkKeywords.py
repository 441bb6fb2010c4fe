"""Keywords about the network between the member and the studio."""

from __future__ import annotations

from robot.api.deco import keyword, library

from acceptance import current
from acceptance.errors import SuiteError
from acceptance.network import Condition, Fault


@library(scope="GLOBAL", auto_keywords=False)
class NetworkKeywords:
    """Makes the network slow or lossy, or breaks the next request on purpose."""

    @keyword
    def set_network(self, condition: str) -> None:
        """Sets what the network is like for the rest of the case.

        | =Argument=    | =Meaning= |
        | ``condition`` | ``normal``; ``high-latency``: 5 to 25 ms more each way; ``packet-loss``: the first try of each call loses its request or its answer; ``failure-injection``: the first try meets a 503, a lost answer or a double delivery |

        Example:
        | Set Network | packet-loss |
        """
        try:
            current.case().network.condition = Condition(condition)
        except ValueError:
            raise SuiteError(f"there is no network {condition!r}; known: {', '.join(Condition)}.") from None

    @keyword
    def break_next_request(self, fault: str) -> None:
        """Lets the first try of the next request meet a fault; a fault that never happens fails the case.

        | =Argument= | =Meaning= |
        | ``fault``  | ``the request is lost on the way``, ``the answer is lost on the way back``, ``the request is delivered twice`` or ``the service answers 503 once`` |

        Example:
        | Break Next Request | the answer is lost on the way back |
        """
        try:
            current.case().network.plan(Fault(fault))
        except ValueError:
            raise SuiteError(f"there is no fault {fault!r}; known: {', '.join(Fault)}.") from None
