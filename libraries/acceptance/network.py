"""What the network does to a case's calls: planned here, done by the proxy process (``tools/network/proxy.py``).

Only a call that has something planned goes through the proxy; all others, and all reads, go straight to the API. That
is for speed: measured on two quiet cores with a server that does nothing, a request took 0.6 to 0.9 ms straight and 2.1
to 2.9 ms through mitmproxy 11.0.2, and 20 clients got 1,100 to 1,250 requests a second straight and 450 to 750 through
it. A call with a plan also costs its share of one PUT a step and one GET of the ledger, 2.8 ms each.

What happens to a call is decided from the case's seed and the call's place in the case before the call is made, and
planned under the call's idempotency key. So neither the order in which concurrent calls arrive nor the ids of a run
change it, and a replay meets the same. The proxy's ledger, and nothing else, says what took place.
"""

from __future__ import annotations

import os
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from itertools import chain, repeat
from threading import Lock
from typing import TYPE_CHECKING, Any

import orjson
import urllib3

from acceptance.errors import SuiteError
from acceptance.faults import Disturbance, Fault

if TYPE_CHECKING:
    from acceptance.datafiles import Device

CONTROL_SECONDS = 20
REVIVAL_SECONDS = 8
AGAIN_SECONDS = 0.1
# A stalled try is given up after this instead of the device's 30 to 60 s: how long it waited changes nothing in what
# the caller knows, and the server acts within some milliseconds.
STALL_SECONDS = 0.5


class Condition(StrEnum):
    """The levels of the factor "network"."""

    NORMAL = "normal"
    HIGH_LATENCY = "high-latency"
    PACKET_LOSS = "packet-loss"
    FAILURE_INJECTION = "failure-injection"


# What each condition may do to the first try of a call; every device's retries then get through. A fault that stands
# more often comes more often: waiting for a retransmission takes 200 ms or more, so it is rare.
FAULTS_OF: dict[Condition, tuple[Fault, ...]] = {
    Condition.NORMAL: (),
    Condition.HIGH_LATENCY: (Fault.SLOW,),
    Condition.PACKET_LOSS: (*(Fault.REQUEST_LOST, Fault.ANSWER_LOST) * 4, Fault.PACKETS_LOST),
    Condition.FAILURE_INJECTION: (
        Fault.BEFORE_503,
        Fault.AFTER_503,
        Fault.TWICE,
        Fault.ANSWER_LOST,
        Fault.TRUNCATED,
    ),
}
# Both ways together; enough to reorder concurrent callers, short enough for 20,000 cases
LATENCY = {"milliseconds": 30, "jitter": 20, "times": 0}


_CONTROLS: dict[str, str] = {}  # a proxy's URL, to where it takes plans
# The proxy is always ours, on this machine. Asked by requests, it took a tenth of a worker's time.
_CONNECTIONS = urllib3.PoolManager(maxsize=16, timeout=CONTROL_SECONDS, retries=False)
os.register_at_fork(after_in_child=_CONNECTIONS.clear)


@dataclass
class Network:
    """The network of one case.

    Args:
        url: the proxy in front of the API; empty where the target has none.
        trace_id: the case's trace in this run.
        seed: the case's seed.
    """

    url: str
    trace_id: str
    seed: int
    condition: Condition = Condition.NORMAL
    planned: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    _next: deque[Disturbance] = field(default_factory=deque)
    _calls: int = 0
    _sent: int = 0
    _coming: dict[str, Fault | None] = field(default_factory=dict)  # idempotency key, to what the next call meets
    _heard: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def plan(self, disturbance: Disturbance) -> None:
        """Let the next call that changes something meet this fault."""
        self._next.append(disturbance)

    def plan_for_calendar(self, disturbance: Disturbance, times: int = 1) -> None:
        """Let the next deliveries to the calendar for this case meet a fault, from now on.

        Args:
            disturbance: the fault.
            times: how many deliveries in a row; fewer than that is not exercised.

        Raises:
            SuiteError: when the proxy does not take the plan.
        """
        entry = {"milliseconds": disturbance.milliseconds} if disturbance.milliseconds else {}
        self.planned.append({"leg": "calendar", "fault": disturbance.fault, "times": times, "seed": self.seed, **entry})
        self._tell()

    def before_calls(self, calls: Sequence[tuple[str, Device]]) -> None:
        """Choose what calls will meet, in their order, and tell the proxy.

        Args:
            calls: the idempotency key and the device of each call that is about to be made. A device without
                retries loses nothing by mere bad luck, since its caller would never learn what happened.

        Raises:
            SuiteError: when the proxy does not take the plan.
        """
        for key, device in calls:
            self._calls += 1
            if self._coming.get(key) is Fault.SLOW:
                continue  # a call that is repeated stays as slow as it was
            entry = self._entry(f"{self.seed}/{self._calls}", device)
            self._coming[key] = None if entry is None else entry["fault"]
            if entry is not None:
                self.planned.append({"leg": "api", "key": key, "seed": f"{self.seed}/{self._calls}", **entry})
        self._tell()

    def _tell(self) -> None:
        if len(self.planned) > self._sent:
            self._control("PUT", orjson.dumps(self.planned))
            self._sent = len(self.planned)

    def _entry(self, lot: str, device: Device) -> dict[str, Any] | None:
        if self._next:
            chosen = self._next.popleft()
            if chosen.fault is Fault.SLOW:
                return {"fault": chosen.fault, "milliseconds": chosen.milliseconds, "times": 0}
            return {"fault": chosen.fault}
        choices = FAULTS_OF[self.condition]
        if not choices or not device.retries:
            return None
        fault = random.Random(lot).choice(choices)  # noqa: S311 - reproducible on purpose
        return {"fault": fault, **(LATENCY if fault is Fault.SLOW else {})}

    def disturbs(self, key: str | None) -> bool:
        """Say whether a call goes through the proxy."""
        return self._coming.get(key or "") is not None

    def read_timeout(self, key: str | None, attempt: int, usual: float) -> float:
        """Return how many seconds a try waits for its answer: less than usual where it is planned to stall."""
        stalls = attempt == 1 and self._coming.get(key or "") is Fault.STALLED
        return min(usual, STALL_SECONDS) if stalls else usual

    def met(self, key: str) -> dict[int, list[str]]:
        """Ask what the tries of a call met since it was last asked: the number of the try, to words of the ledger."""
        with self._lock:
            events = self._control("GET")["events"]
            mine = [event for event in events if event["key"] == key and event["leg"] == "api"]
            news = mine[self._heard.get(key, 0) :]
            self._heard[key] = len(mine)
        words: dict[int, list[str]] = {}
        for event in news:
            words.setdefault(int(event["attempt"]), []).append(event["what"])
        return words

    def not_exercised(self) -> list[str]:
        """Return the planned faults that never took place by the proxy's ledger.

        Raises:
            SuiteError: when the proxy does not answer.
        """
        missing = [str(disturbance.fault) for disturbance in self._next]
        if self._sent:
            ledger = self._control("GET")
            self.events = ledger["events"]
            fired = [one["fired"] for one in ledger["planned"]]
        else:
            fired = []
        for one, count in zip(self.planned, chain(fired, repeat(0)), strict=False):
            if count < max(1, one.get("times", 1)):
                missing.append(f"{one['fault']} (calendar)" if one["leg"] == "calendar" else str(one["fault"]))
        return missing

    def _control(self, method: str, plan: bytes | None = None) -> dict[str, Any]:
        until = time.monotonic() + REVIVAL_SECONDS
        while True:
            try:
                answer = _CONNECTIONS.request(method, f"{self._control_url()}/{self.trace_id}", body=plan)
                break
            except urllib3.exceptions.HTTPError as error:
                _CONTROLS.pop(self.url, None)
                # It may just close an idle connection, or be started again by its supervisor; what it then has
                # forgotten counts as not exercised. Asking again says nothing else than before.
                if time.monotonic() > until or isinstance(error, urllib3.exceptions.ReadTimeoutError):
                    raise SuiteError(f"{self.url}: the network proxy does not answer ({error}).") from None
                time.sleep(AGAIN_SECONDS)
        # 404: it was started again and has forgotten everything; then nothing has fired.
        if answer.status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            raise SuiteError(f"{self.url}: the network proxy refuses the plan: {answer.data.decode(errors='replace')}")
        told: dict[str, Any] = orjson.loads(answer.data)
        return told

    def _control_url(self) -> str:
        """Ask the proxy where it takes plans, once until it is started again."""
        if self.url not in _CONTROLS:
            answer = _CONNECTIONS.request("GET", f"{self.url}/acceptance/network")
            if answer.status != HTTPStatus.OK:
                raise urllib3.exceptions.HTTPError(f"it answers {answer.status}")
            _CONTROLS[self.url] = orjson.loads(answer.data)["control"]
        return _CONTROLS[self.url]
