"""The words for what a network does: shared by the client, which plans it, and the proxy process, which does it.

Kept free of other imports, so that the proxy starts fast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """One kind of disturbance. The words are those of a plan, of the ledger and of a reply's attempts."""

    REQUEST_LOST = "request lost"  # the connection closes; the server never sees the request
    ANSWER_LOST = "answer lost"  # the server has acted and answered; the connection closes instead
    TRUNCATED = "truncated answer"  # status, true Content-Length, half of the body; then the connection closes
    TWICE = "delivered twice"  # the server gets it twice, one after the other; the caller gets the second answer
    SLOW = "slow"  # the request and the answer take longer
    PACKETS_LOST = "packets lost"  # lost packets are sent again after a time-out; too many lose the connection
    STALLED = "stalled"  # the server gets the request; nothing comes back until the caller gives up
    BEFORE_500 = "500 before the server"
    BEFORE_502 = "502 before the server"
    BEFORE_503 = "503 before the server"
    BEFORE_504 = "504 before the server"
    AFTER_500 = "500 after the server acted"
    AFTER_502 = "502 after the server acted"
    AFTER_503 = "503 after the server acted"
    AFTER_504 = "504 after the server acted"


# What never reached the server; everything else may have had an effect.
NEVER_REACHED_THE_SERVER = frozenset({Fault.REQUEST_LOST, *(f for f in Fault if f.endswith("before the server"))})

SENTENCES: dict[str, Fault] = {
    "the request is lost on the way": Fault.REQUEST_LOST,
    "the answer is lost on the way back": Fault.ANSWER_LOST,
    "the answer arrives truncated": Fault.TRUNCATED,
    "the request is delivered twice": Fault.TWICE,
    "the connection stalls": Fault.STALLED,
    "packets are lost": Fault.PACKETS_LOST,
    **{f"the service answers {s} once": Fault(f"{s} before the server") for s in (500, 502, 503, 504)},
    **{f"the service acts and answers {s}": Fault(f"{s} after the server acted") for s in (500, 502, 503, 504)},
}
SLOW_SENTENCE = re.compile(r"the answers take (\d+) ms")


@dataclass(frozen=True)
class Disturbance:
    """A fault as a scenario says it, not yet bound to a request. ``milliseconds``: for a slow answer, how slow."""

    fault: Fault
    milliseconds: int | None = None

    @property
    def status(self) -> int | None:
        """The HTTP status the caller gets from this fault, if it makes one."""
        return int(self.fault[:3]) if self.fault[:3].isdigit() else None


def disturbance(sentence: str) -> Disturbance | None:
    """Read a scenario's sentence; None when it is none about the network."""
    if sentence in SENTENCES:
        return Disturbance(SENTENCES[sentence])
    if slow := SLOW_SENTENCE.fullmatch(sentence):
        return Disturbance(Fault.SLOW, int(slow[1]))
    return None
