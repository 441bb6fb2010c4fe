"""What the calls of a case have taught about it: which rows are whose, and what was paid for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from acceptance import snapshot
from acceptance.bench import Bench
from acceptance.client import Outcome
from acceptance.history import Done
from acceptance.model import Operation, Status
from acceptance.scene import Scene

NOBODY = "00000000-0000-4000-8000-000000000000"


class Memory(Scene):
    """A scene, and what has been learned of it since.

    Args:
        bench: the process's tools.
        test_id: the case's id.
        seed: source of everything random in the case.
    """

    def __init__(self, bench: Bench, test_id: str, seed: int):
        super().__init__(bench, test_id, seed)
        self.bookings: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._asked: dict[str, int] = {}  # how many classes each call was to credit

    def booking_of(self, member: str) -> tuple[str, str]:
        """Return the model's name and the row's id of a member's latest booking, a standing one first."""
        user_id = self.people[member].user_id
        mine = [b for b in self.state.bookings if b.member == user_id]
        standing = [b for b in mine if b.status is Status.CONFIRMED]
        chosen = (standing or mine)[-1:]
        return (chosen[0].id, self.bookings.get(chosen[0].id, chosen[0].id)) if chosen else ("none", NOBODY)

    def learn(self, done: Done) -> None:
        """Keep what was asked for, and the ids that an accepted answer gave out."""
        self._asked[done.call.creates] = done.call.classes
        if done.reply.outcome is not Outcome.ACCEPTED:
            return
        if done.call.operation in (Operation.BOOK, Operation.RESCHEDULE) and done.says("booking_id"):
            self.bookings[done.call.creates] = str(done.said("booking_id"))
        if done.call.operation is Operation.CREDIT and done.says("deposit_id"):
            deposit_id = str(done.said("deposit_id"))
            if deposit_id in self.credited and not self.bench.contract.reference:
                return  # topped up: the rows tell by how much
            self.credited[deposit_id] = done.call.classes
            self._aliases[deposit_id] = done.call.creates

    def learn_from_rows(self, found: snapshot.Snapshot) -> None:
        """Find the ids of bookings that were made without a clear answer, as a member does by looking."""
        for booking in self.state.bookings:
            if booking.id.startswith("made-") and booking.id not in self.bookings:
                wanted = (booking.member, booking.slot, str(booking.status))
                fits = [r["id"] for r in found.bookings if (r["user_id"], r["slot_id"], r["status"]) == wanted]
                news = [row_id for row_id in fits if row_id not in self.bookings.values()]
                if not news and not self.bench.contract.reference:
                    news = fits  # a row that was revived keeps its id
                if news:
                    self.bookings[booking.id] = news[0]
        if self.bench.contract.reference:
            self._learn_credited(found)

    def _learn_credited(self, found: snapshot.Snapshot) -> None:
        """Find the rows of deposits credited without a clear answer, and which of several at once is the older one.

        What comes next may depend on it, for the older one pays first; that the rows fit some order was judged before.
        """
        rows_of: dict[str, dict[str, Any]] = {self._aliases.get(row["id"], row["id"]): row for row in found.deposits}
        made = [deposit for deposit in self.state.deposits if deposit.id.startswith("made-")]
        known = {deposit.id for deposit in self.state.deposits}
        for deposit in made:
            wanted = (deposit.member, deposit.remaining)
            strays = [
                n for n, r in rows_of.items() if n not in known and (r["user_id"], r["deposit_remaining"]) == wanted
            ]
            if deposit.id not in rows_of and strays:
                row = rows_of[deposit.id] = rows_of.pop(strays[0])
                self._aliases[row["id"]] = deposit.id
                self.credited[row["id"]] = self._asked[deposit.id]
        place: dict[str, int] = {}
        for member in {deposit.member for deposit in made}:
            mine = [deposit for deposit in made if deposit.member == member and deposit.id in rows_of]
            ranks = sorted(deposit.position for deposit in mine)
            mine.sort(key=lambda deposit: (rows_of[deposit.id]["credited_at"], rows_of[deposit.id]["id"]))
            place |= {deposit.id: rank for deposit, rank in zip(mine, ranks, strict=True)}
        deposits = (replace(d, position=place.get(d.id, d.position)) for d in self.state.deposits)
        self.state = replace(self.state, deposits=tuple(deposits))

    def learn_credits(self, step: list[Done], before: snapshot.Snapshot, found: snapshot.Snapshot) -> None:
        """Find the deposits that credits have made or topped up, where another target's answers do not say."""
        if self.bench.contract.reference:
            return
        held = {row["id"]: row["deposit_remaining"] for row in before.deposits}
        for done in [done for done in step if done.call.operation is Operation.CREDIT]:
            mine = {r["id"]: r["deposit_remaining"] for r in found.deposits if r["user_id"] == done.call.member}
            added = {name: left - held.get(name, 0) for name, left in mine.items()}
            if len(step) == 1 and self._learn_growth(done, added, held.keys()):
                continue
            fresh = [name for name in mine if name not in self.credited]
            if not added.keys() - held.keys() and not fresh:
                self._learn_top_up(done, added, alone=len(step) == 1)
                continue
            if done.reply.outcome is not Outcome.ACCEPTED:
                continue
            if not done.says("deposit_id") and fresh:
                self._aliases[fresh[0]] = done.call.creates
                self.credited[fresh.pop(0)] = done.call.classes
            for deposit_id in fresh[: done.unseen]:  # it was credited again with each try
                self.credited[deposit_id] = done.call.classes

    def _learn_growth(self, done: Done, added: dict[str, int], old: Collection[str]) -> bool:
        """Note where a credit's classes have gone, when they are as many as its tries can have brought."""
        least = 1 if done.reply.outcome is Outcome.ACCEPTED else 0
        most = done.unseen + (done.reply.outcome is not Outcome.REFUSED)
        if sum(added.values()) not in [done.call.classes * times for times in range(least, most + 1)]:
            return False
        for name, more in added.items():
            self.credited[name] = more + (self.credited.get(name, 0) if name in old else 0)
            if name not in old and not done.says("deposit_id"):
                self._aliases[name] = done.call.creates
        return True

    def _learn_top_up(self, done: Done, added: dict[str, int], *, alone: bool) -> None:
        """Note that classes were paid for which a deposit has got that was there already."""
        grown = [name for name, more in added.items() if more > 0] or list(added)
        classes = done.call.classes if done.reply.outcome is Outcome.ACCEPTED else 0
        if not grown or (done.reply.outcome is Outcome.REFUSED and not done.unseen):
            return
        if alone and added[grown[0]] in [done.call.classes * times for times in range(1, done.unseen + 2)]:
            classes = added[grown[0]]  # each of its tries may have acted, or none
        self.credited[grown[0]] = self.credited.get(grown[0], 0) + classes
