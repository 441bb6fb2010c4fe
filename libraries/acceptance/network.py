"""What the network does to a case's requests, decided from the case's seed.

The faults act in the client, around the real request: a lost request never leaves, a lost answer is thrown
away after the server has sent it, a request delivered twice reaches the server twice. What was planned and
what took place is kept, so that a fault which never fired cannot pass for one that was survived.
"""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock


class Fault(StrEnum):
    """One disturbance of one attempt, in the words of a scenario."""

    REQUEST_LOST = "the request is lost on the way"
    ANSWER_LOST = "the answer is lost on the way back"
    DELIVERED_TWICE = "the request is delivered twice"
    UNAVAILABLE = "the service answers 503 once"


class Condition(StrEnum):
    """The levels of the factor "network"."""

    NORMAL = "normal"
    HIGH_LATENCY = "high-latency"
    PACKET_LOSS = "packet-loss"
    FAILURE_INJECTION = "failure-injection"


# What each condition may do to the first attempt of a call; the device's retries then get through.
FAULTS_OF: dict[Condition, tuple[Fault, ...]] = {
    Condition.NORMAL: (),
    Condition.HIGH_LATENCY: (),
    Condition.PACKET_LOSS: (Fault.REQUEST_LOST, Fault.ANSWER_LOST),
    Condition.FAILURE_INJECTION: (Fault.UNAVAILABLE, Fault.DELIVERED_TWICE, Fault.ANSWER_LOST),
}
LATENCY_SECONDS = (
    0.005,
    0.025,
)  # one way; enough to reorder concurrent callers, short enough for 20,000 cases


@dataclass
class Network:
    """The network of one case.

    Args:
        condition: what it is like throughout.
        random: the case's own source of chance.
    """

    random: random.Random
    condition: Condition = Condition.NORMAL
    planned: list[StrEnum] = field(default_factory=list)
    fired: list[StrEnum] = field(default_factory=list)
    _next: deque[Fault] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def plan(self, fault: Fault) -> None:
        """Let the next call that changes something meet this fault."""
        with self._lock:
            self.planned.append(fault)
            self._next.append(fault)

    def before_call(self, retries: int) -> Fault | None:
        """Choose the fault of a call's first attempt.

        Args:
            retries: how often the device tries again; without retries nothing is lost by mere bad luck,
                since the caller would never learn what happened.
        """
        with self._lock:
            if self._next:
                return self._next.popleft()
            choices = FAULTS_OF[self.condition]
            if not choices or not retries:
                return None
            fault = self.random.choice(choices)
            self.planned.append(fault)
            return fault

    def travel(self) -> None:
        """Take the time that one way takes now."""
        if self.condition is Condition.HIGH_LATENCY:
            with self._lock:
                seconds = self.random.uniform(*LATENCY_SECONDS)
            time.sleep(seconds)

    def record(self, fault: StrEnum) -> None:
        """Note that a fault took place."""
        with self._lock:
            self.fired.append(fault)

    def not_exercised(self) -> list[StrEnum]:
        """Return the planned faults that never took place."""
        missing = list(self.planned)
        for fault in self.fired:
            if fault in missing:
                missing.remove(fault)
        return missing
