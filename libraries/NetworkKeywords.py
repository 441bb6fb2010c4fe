"""Keywords about the network between the member and the studio."""

from __future__ import annotations

from robot.api.deco import keyword, library

from acceptance import current, faults
from acceptance.errors import SuiteError
from acceptance.network import Condition


@library(scope="GLOBAL", auto_keywords=False)
class NetworkKeywords:
    """Makes the network slow or lossy, or breaks the next request on purpose.

    A proxy process between the caller and the studio does it, and its ledger says whether it took place; a planned
    fault that never happens fails the case as "not exercised". On a target without that proxy the case is skipped.
    """

    @keyword
    def set_network(self, condition: str) -> None:
        """Sets what the network is like for the rest of the case.

        | =Argument=    | =Meaning= |
        | ``condition`` | ``normal``; ``high-latency``: 10 to 50 ms more for each try; ``packet-loss``: the first try of each call loses its request, its answer or some packets; ``failure-injection``: the first try meets a 503 (before or after the studio has acted), a lost or a broken answer or a double delivery |

        Example:
        | Set Network | packet-loss |
        """
        try:
            chosen = Condition(condition)
        except ValueError:
            raise SuiteError(f"there is no network {condition!r}; known: {', '.join(Condition)}.") from None
        current.case().set_condition(chosen)

    @keyword
    def break_next_request(self, fault: str) -> None:
        """Lets the first try of the next request meet a fault; a fault that never happens fails the case.

        | =Argument= | =Meaning= |
        | ``fault``  | a sentence of ``network.resource``, for example ``the request is lost on the way`` or ``the answers take 300 ms`` |

        Example:
        | Break Next Request | the answer is lost on the way back |
        """
        disturbance = faults.disturbance(fault)
        if disturbance is None:
            known = ", ".join([*faults.SENTENCES, "the answers take 300 ms"])
            raise SuiteError(f"there is no fault {fault!r}; known: {known}.")
        current.case().disturb(disturbance)

    @keyword
    def tap_again(self) -> None:
        """Asks for the same once more as a new request, with a new idempotency key: what an impatient member does.

        It needs a last request without a clear answer; who knows the answer does not tap again.

        Example:
        | Tap Again |
        """
        current.case().tap_again()
