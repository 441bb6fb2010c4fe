"""What is planned to happen to a case's requests on their way, and what of it took place.

{"leg": "api" | "calendar", "fault": a word of acceptance.faults.Fault, "times": 1 (0: every time),
 "actor": only requests with this X-Actor, "key": only those with this Idempotency-Key,
 "seed": for what is drawn, "milliseconds": for slow: how long, "jitter": for slow: up to so many more or less}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from acceptance.faults import Fault

LEGS = ("api", "calendar")


class PlanError(ValueError):
    """A plan that cannot be read; its words go to the caller."""


@dataclass
class Planned:
    """One planned fault and what it has done so far."""

    leg: str
    fault: Fault
    times: int = 1
    actor: str | None = None
    key: str | None = None
    seed: int | str = 0
    milliseconds: float = 0.0
    jitter: float = 0.0
    taken: int = field(default=0, compare=False)
    at: list[str] = field(default_factory=list, compare=False)

    @classmethod
    def read(cls, entry: Any) -> Planned:
        """Make one from JSON.

        Raises:
            PlanError: when it is malformed.
        """
        known = {"leg", "fault", "times", "actor", "key", "seed", "milliseconds", "jitter"}
        if not isinstance(entry, dict) or not set(entry) <= known:
            raise PlanError(f"a planned fault is an object of {', '.join(sorted(known))}; got {entry!r}")
        given = {name: value for name, value in entry.items() if value is not None}
        if given.get("leg", "api") not in LEGS:
            raise PlanError(f"leg: {given['leg']!r} is none of {', '.join(LEGS)}")
        if given.get("fault") not in set(Fault):
            raise PlanError(f"fault: {given.get('fault')!r} is none of {', '.join(Fault)}")
        for name in ("times", "milliseconds", "jitter"):
            if not isinstance(given.get(name, 0), int | float) or given.get(name, 0) < 0:
                raise PlanError(f"{name}: {given[name]!r} is not a number from 0 up")
        return cls(**{"leg": "api", **given, "fault": Fault(given["fault"])})

    def told(self) -> dict[str, Any]:
        """Say it as the ledger does."""
        plan = {"leg": self.leg, "fault": self.fault, "times": self.times, "actor": self.actor, "key": self.key}
        drawn = {"seed": self.seed, "milliseconds": self.milliseconds, "jitter": self.jitter}
        return {**plan, **drawn, "fired": len(self.at), "at": self.at}


@dataclass
class Trace:
    """What is planned for one case, and what took place."""

    planned: list[Planned] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def replace(self, planned: list[Planned]) -> None:
        """Take a new list; what stands at the same place as before keeps its history."""
        for number, old in enumerate(self.planned[: len(planned)]):
            if planned[number] == old:
                planned[number] = old
        self.planned = planned

    def take(self, leg: str, headers: Mapping[str, str]) -> list[Planned]:
        """Choose the faults of a request: a slow one, and the first other one with times left.

        A request repeated under its key may have several slow ones: the one that was taken least has its turn.
        """

        def fits(one: Planned) -> bool:
            if one.leg != leg or (one.times and one.taken >= one.times):
                return False
            if one.actor is not None and one.actor != headers.get("X-Actor"):
                return False
            return one.key is None or one.key == headers.get("Idempotency-Key")

        fitting = [one for one in self.planned if fits(one)]
        slow = sorted((one for one in fitting if one.fault is Fault.SLOW), key=lambda one: one.taken)
        chosen = slow[:1] + [one for one in fitting if one.fault is not Fault.SLOW][:1]
        for one in chosen:
            one.taken += 1
        return chosen

    def ledger(self) -> dict[str, Any]:
        """Say everything."""
        return {"planned": [one.told() for one in self.planned], "events": self.events}
