"""What a check of an invariant may look at: the rows around a step, the calls, and what is known of the case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from acceptance.history import Done
from acceptance.snapshot import Snapshot

# What is compared between a view and the database, per table.
SHOWN = {
    "pilates_bookings": ("id", "status", "slot_id", "user_id"),
    "pilates_deposits": ("id", "deposit_remaining", "user_id"),
    "pilates_slots_with_occupancy": ("slot_id", "booked_count", "max_capacity"),
}


@dataclass(frozen=True)
class View:
    """What one caller was shown of a table: ``rows`` is None when the answer was a refusal."""

    caller: str
    table: str
    sees: bool
    rows: list[dict[str, Any]] | None


@dataclass
class Facts:
    """Everything a check may look at.

    ``steps`` holds the calls made so far, those made together in one list. ``credited`` counts the classes paid
    for per deposit id, ``owners`` names the members by user id, ``peak`` is the most places a class ever had,
    ``given`` are the bookings that stood before the case acted, ``calendar`` says where the calendar still disagreed
    with the bookings when the time to converge was over, ``crashes`` names what was killed so far, ``reference`` says
    that it is our own studio.
    """

    before: Snapshot
    after: Snapshot
    steps: list[list[Done]]
    credited: dict[str, int]
    owners: dict[str, str]
    peak: dict[str, int]
    explained: bool | None = True
    views: list[View] = field(default_factory=list)
    given: frozenset[str] = frozenset()
    calendar: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    crashes: list[str] = field(default_factory=list)
    reference: bool = True

    @property
    def step(self) -> list[Done]:
        """The calls of the last step."""
        return self.steps[-1] if self.steps else []

    def who(self, user_id: str) -> str:
        """Name somebody in a sentence."""
        return self.owners.get(user_id, f"somebody unknown ({user_id})")
