"""Makes a race happen in one stated order: moves actors from gate to gate, one at a time.

A schedule is one line, for example ``member -> deposit.update | front desk -> end | member -> end``: the member's call
runs until it is about to change the deposit and waits there, the front desk's call runs to its end or until it is
blocked by a lock that the member's call holds, then the member's call runs on. Who stands where is read from the lock
views; nothing is guessed by sleeping. What comes of it is judged like any other race: by the sequential model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import permutations, product
from threading import Condition
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import instruments
from acceptance.errors import SuiteError
from acceptance.instruments import POINT, Stop, Waiter
from acceptance.model import Operation

END = "end"
DEADLINE_SECONDS = 20
# Between two looks at the lock views, which take a server half a millisecond; a call that ends wakes us at once.
LOOK_SECONDS = 0.003

# The contract's tables that each operation cannot do without changing: where it can be stopped on every target.
CHANGES: dict[Operation, tuple[str, ...]] = {
    Operation.BOOK: ("deposit.update", "booking.insert"),
    Operation.CANCEL: ("booking.update", "deposit.update"),
    Operation.RESCHEDULE: ("booking.update", "booking.insert"),
    Operation.ADMIN_REMOVE: ("booking.update", "deposit.update"),
    Operation.CONFIRM: ("booking.update",),
    Operation.CREDIT: ("deposit.insert",),
    Operation.EXPIRE: ("deposit.update",),
    Operation.SWITCH_OFF: ("slot.update",),
    Operation.RESIZE: ("slot.update",),
    Operation.CALL_OFF: ("slot.delete",),
}


PASSED = {"insert": "inserted", "update": "updated", "delete": "deleted"}
# What every change leads to in systems that keep such a table: point, and the table.
TOLD = {"audit.insert": "pilates_audit_log", "calendar.insert": "pilates_calendar_outbox"}
NOT_IN_THE_CALENDAR = frozenset({Operation.CONFIRM, Operation.CREDIT, Operation.EXPIRE})


def points(operation: Operation, tables: Container[str]) -> list[str]:
    """List the fault points that an operation passes when it is accepted: before and after each change, and the commit.

    Args:
        operation: what is asked.
        tables: the tables that the target has.
    """
    told = [point for point, table in TOLD.items() if table in tables]
    if operation in NOT_IN_THE_CALENDAR:
        told = [point for point in told if not point.startswith("calendar")]
    found = []
    for point in (*CHANGES[operation], *told):
        table, _, change = point.partition(".")
        found += [point, f"{table}.{PASSED[change]}"]
    return [*found, "commit"]


@dataclass(frozen=True)
class Move:
    """One step of a schedule: let an actor go on until it is about to pass a fault point, or to its end."""

    actor: str
    to: str

    def __str__(self) -> str:
        return f"{self.actor} -> {self.to}"


def read(line: str) -> list[Move]:
    """Read a schedule.

    Args:
        line: moves separated by ``|``, each ``actor -> fault point`` or ``actor -> end``.

    Raises:
        SuiteError: names the move that is none.
    """
    moves = []
    for part in line.split("|"):
        actor, arrow, to = (word.strip() for word in part.partition("->"))
        if not actor or not arrow or not (to == END or POINT.fullmatch(to)):
            raise SuiteError(f"{part.strip()!r} is no move of a schedule; say for example 'member -> deposit.update'.")
        moves.append(Move(actor, to))
    return moves


def orders(gates: Mapping[str, Sequence[str]], stops: int = 1) -> list[str]:
    """List the schedules of some calls, simplest first.

    Args:
        gates: by actor, where the call can be stopped.
        stops: how many stops a schedule has in all, 1 or 2.

    Returns:
        One line each. With one stop, an actor waits at a gate while the others run through, one after the other. With
        two, a second actor waits as well, and the first one ends before it; the rest run through in between.
    """
    lines: list[list[Move]] = []
    for waiting in permutations(gates, stops):
        others = [Move(actor, END) for actor in gates if actor not in waiting]
        for points in product(*(gates[actor] for actor in waiting)):
            stand = [Move(actor, point) for actor, point in zip(waiting, points, strict=True)]
            lines.append([*stand, *others, *(Move(actor, END) for actor in waiting)])
    return [" | ".join(map(str, line)) for line in lines]


@dataclass
class Course:
    """How a schedule went: what was seen, in order, and what was planned and fired."""

    seen: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    fired: list[str] = field(default_factory=list)

    def not_exercised(self) -> list[str]:
        """Return what was planned and never took place.

        A schedule is exercised once its first actor stood at its gate: whether the others reach theirs, or are
        refused or blocked before, is the target's answer to the race.
        """
        missing = list(self.planned)
        for one in self.fired:
            if one in missing:
                missing.remove(one)
        return missing


@dataclass
class _Actor:
    """One call of a schedule while it runs."""

    task: Callable[[], Any]
    function: str
    stops: list[tuple[int, Stop]]
    future: Future[Any] | None = None
    gate: int | None = None
    pid: int | None = None

    @property
    def ended(self) -> bool:
        return self.future is not None and self.future.done()


class Scheduler:
    """Runs the calls of one step in a stated order.

    Args:
        connection: of the suite's own, in autocommit; it holds the gates.
        submit: starts a task in a thread of its own.
        trace: the case's trace id.
    """

    def __init__(self, connection: Connection, submit: Callable[[Callable[[], Any]], Future[Any]], trace: str):
        self.connection = connection
        self.submit = submit
        self.trace = trace
        self.course = Course()
        self._changed = Condition()
        self._actors: dict[str, _Actor] = {}

    def run(
        self,
        tasks: Mapping[str, tuple[str, str, Callable[[], Any]]],
        moves: Sequence[Move],
        faults: Mapping[str, Sequence[Stop]],
    ) -> list[Any]:
        """Make the calls.

        Args:
            tasks: by actor: the name sent as X-Actor, the function called, and the call.
            moves: the order; empty where only faults are planned. All calls are run to their ends afterwards.
            faults: by actor, the stops at which something happens to its call.

        Returns:
            What the tasks returned, in their order.

        Raises:
            SuiteError: when a move names nobody, or a call comes to no end in time.
        """
        for move in moves:
            if move.actor not in tasks:
                raise SuiteError(f"the schedule moves {move.actor!r}, but the calls are of {', '.join(tasks)}.")
        planned: list[tuple[str, Stop]] = []
        for actor, (name, _, _) in tasks.items():
            planned += [(actor, Stop(name, m.to)) for m in moves if m.actor == actor and m.to != END]
            planned += [(actor, stop) for stop in faults.get(actor, ())]
        gates = instruments.shut(self.connection, self.trace, [stop for _, stop in planned])
        for actor, (_, function, task) in tasks.items():
            stops = [(gate, stop) for gate, (whose, stop) in zip(gates, planned, strict=True) if whose == actor]
            self._actors[actor] = _Actor(task, function, stops)
        self.course.planned = [f"{actor} {_described(stop)}" for actor, stop in planned if stop.action != "wait"]
        self.course.planned += [f"{moves[0].actor} waits at {moves[0].to}"] if moves and moves[0].to != END else []
        try:
            for move in moves:
                self._go_on(move.actor)
                self._wait(move)
            for actor in self._actors:
                self._go_on(actor)
            self._finish()
        finally:
            instruments.open_gates(self.connection, gates)
        return [actor.future.result() for actor in self._actors.values() if actor.future is not None]

    def _go_on(self, name: str) -> None:
        """Start an actor's call, or let it through the gate where it stands."""
        actor = self._actors[name]
        if actor.future is None:
            actor.future = self.submit(actor.task)
            actor.future.add_done_callback(self._wake)
        elif actor.gate is not None:
            self._let_through(actor)

    def _let_through(self, actor: _Actor) -> None:
        gate, actor.gate, actor.pid = actor.gate, None, None
        instruments.open_gates(self.connection, [gate] if gate is not None else [])

    def _wake(self, _future: Future[Any]) -> None:
        with self._changed:
            self._changed.notify_all()

    def _wait(self, move: Move) -> None:
        """Wait until an actor stands at its gate, is blocked by one who stands, or has ended."""
        actor = self._actors[move.actor]
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not actor.ended:
            self._pause(deadline, f"{move.actor} came neither to {move.to} nor to its end")  # nobody is there at once
            waiters = self._look()
            if actor.gate is not None and move.to != END:
                return
            if actor.gate is not None:
                self._let_through(actor)  # a stop it was blocked before; it is told to go to its end now
            elif self._is_blocked(actor, waiters):
                self.course.seen.append(f"{move.actor} is blocked")
                return
        self.course.seen.append(f"{move.actor} ended")

    def _finish(self) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not all(actor.ended for actor in self._actors.values()):
            if any(actor.stops for actor in self._actors.values()):  # else nobody comes to a gate any more
                self._look()
            for actor in self._actors.values():
                if actor.gate is not None:
                    self._let_through(actor)
            self._pause(deadline, "not all calls came to an end")

    def _pause(self, deadline: float, what: str) -> None:
        if time.monotonic() > deadline:
            raise SuiteError(f"not exercised: {what} within {DEADLINE_SECONDS} s.")
        with self._changed:
            self._changed.wait(LOOK_SECONDS)

    def _look(self) -> list[Waiter]:
        """Read who waits, and note who has come to a gate; a fault's gate is opened at once."""
        waiters = instruments.waiting(self.connection)
        at = {waiter.gate: waiter.pid for waiter in waiters if waiter.gate is not None}
        for name, actor in self._actors.items():
            for gate, stop in actor.stops:
                if gate in at and actor.gate is None and not actor.ended:
                    actor.stops.remove((gate, stop))
                    actor.gate, actor.pid = gate, at[gate]
                    what = f"{name} {_described(stop)}"
                    self.course.seen.append(what)
                    self.course.fired.append(what)
                    if stop.action != "wait":
                        self._let_through(actor)
                    break
        return waiters

    def _is_blocked(self, actor: _Actor, waiters: Iterable[Waiter]) -> bool:
        """Tell whether a call waits for a lock of somebody who stands at a gate of ours, directly or in a queue.

        Calls of the same function cannot be told from each other: then all of those that are on their way must wait.
        """
        held = {other.pid for other in self._actors.values() if other.pid is not None}
        queue = [waiter for waiter in waiters if waiter.gate is None and actor.function in waiter.query]
        if not held or not queue:
            return False
        everybody = {waiter.pid: waiter.blockers for waiter in waiters}
        blocked: set[int] = set()
        for waiter in queue:
            reached, edge = set(waiter.blockers), list(waiter.blockers)
            while edge:
                more = everybody.get(edge.pop(), frozenset()) - reached
                reached |= more
                edge += more
            if reached & held:
                blocked.add(waiter.pid)
        alike = [other for other in self._actors.values() if other.function == actor.function]
        return len(blocked) >= sum(1 for one in alike if one.future is not None and not one.ended and one.gate is None)


def _described(stop: Stop) -> str:
    if stop.action == "wait":
        return f"waits at {stop.point}"
    return f"meets {stop.action}{' ' + stop.argument if stop.argument else ''} at {stop.point}"
