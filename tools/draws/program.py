"""Draws a program, a setting and some steps, and tells it as a case like any other.

What is drawn is plain data; telling it plays the sequential model and leaves out what would make no sense there: a
fault at a change that the call will not come to, a stop before it. So whatever Hypothesis takes away while it shrinks,
what is left is a program again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

from hypothesis import strategies as st

from acceptance import schedule
from acceptance.datafiles import profiles
from acceptance.faults import SENTENCES
from acceptance.model import Call, Operation, State
from acceptance.rules import apply
from tools.generator import orders
from tools.generator.matrix import Action, Matrix, Row
from tools.generator.story import ALL_OTHERS, ASKS, Story, call_of, others_book
from tools.generator.table import record

CATEGORY = "random"
MOST_STEPS = 5
MOST_ORDERS = 24
MOST_STATES = 64  # when a program can have come to more, it goes on without faults that need to know
WHEN = ("tomorrow at 10:00", "in 20 minutes", "tomorrow at 23:45", "on the next autumn clock change at 02:30")
LATE = ("30 minutes ago",)
OF_THE_STUDIO = ("the studio lowers the class to 1 place", "the studio switches the class off")  # alone: no call
CALLS = (*ASKS, "the front desk credits 1 class")
# What may be asked at the same time. An expiry check has the whole database to itself.
AT_ONCE = (
    *(call for call in CALLS if ASKS.get(call, (None,))[0] is not Operation.EXPIRE),
    *OF_THE_STUDIO,
    ALL_OTHERS,
)
DATABASE = ("fails with 40001", "fails with 40P01", "fails with 57014", "fails with 53100", "connection dies")
NETWORK = tuple(
    words for words, fault in SENTENCES.items() if fault not in ("stalled", "packets lost")
)  # they only wait
EVENTS = (*OF_THE_STUDIO, "the class has started 30 minutes ago", "the deposit has expired since")


@dataclass(frozen=True)
class One:
    """A call alone, what disturbs it, and whether the app sends it once more."""

    call: str
    fault: str = ""
    point: int = 0
    again: bool = False


@dataclass(frozen=True)
class Together:
    """Two or three calls at the same time: in one of the stated orders, or free; ``twice`` sends the last one twice."""

    calls: tuple[str, ...]
    order: int | None = None
    twice: bool = False


@dataclass(frozen=True)
class Program:
    """What is drawn."""

    user: str
    device: str
    zone: str
    when: str
    places: int
    taken: int
    others: int
    classes: int
    booked: bool
    steps: tuple[One | Together | str, ...]


def programs(plan: Matrix) -> st.SearchStrategy[Program]:
    """Return how programs are drawn: every kind of step, the simplest of each first."""
    faults = st.sampled_from(("", "", "", *DATABASE, *NETWORK))
    one = st.builds(One, st.sampled_from(CALLS), faults, st.integers(0, 7), st.booleans())
    calls = st.lists(st.sampled_from(AT_ONCE), min_size=2, max_size=3).map(tuple)
    order = st.none() | st.integers(0, MOST_ORDERS - 1) | st.integers(0, MOST_ORDERS - 1)
    together = st.builds(Together, calls, order, st.booleans())
    step = st.one_of(one, together, together, st.sampled_from(EVENTS))
    return st.builds(
        Program,
        user=st.sampled_from(list(profiles())),
        device=st.sampled_from(list(plan.factors["device"])),
        zone=st.sampled_from(list(plan.factors["timezone"])),
        when=st.sampled_from((*WHEN * 4, *LATE)),
        places=st.integers(1, 4),
        taken=st.integers(0, 4),
        others=st.integers(1, 3),
        classes=st.integers(0, 2),
        booked=st.booleans(),
        steps=st.lists(step, min_size=1, max_size=MOST_STEPS).filter(_asks_something).map(tuple),
    )


def _asks_something(steps: list[One | Together | str]) -> bool:
    return any(not isinstance(step, str) for step in steps)


def steered(drawn: Program) -> Iterator[Program]:
    """Return the program with each of its free races in each of its orders, one after the other."""
    for place, step in enumerate(drawn.steps):
        if isinstance(step, Together) and step.order is None:
            for order in range(MOST_ORDERS):
                steps = (*drawn.steps[:place], replace(step, order=order, twice=False), *drawn.steps[place + 1 :])
                yield replace(drawn, steps=steps)


def told(plan: Matrix, program: Program, test_id: str, seed: int, env: str) -> dict[str, Any]:
    """Tell a program as a record of the seed's format.

    Args:
        plan: the test matrix.
        program: what was drawn.
        test_id: the case's id.
        seed: what is random within the case comes from it.
        env: the environment the record names.
    """
    teller = _Teller(replace(plan, places=program.places), program)
    teller.tell_all()
    many = "one thing" if len(program.steps) == 1 else f"{len(program.steps)} things"
    action = Action("random", CATEGORY, f"does {many} drawn at random", (), ())
    found = record(teller.matrix, teller, test_id, action, random.Random(f"{test_id}/{seed}"), env)  # noqa: S311 - reproducible on purpose
    found["class"]["taken"] = teller.taken
    return found


class _Teller(Story):
    """A story of which only the model's possible states are foretold, not the answers: these must fit one order."""

    def __init__(self, plan: Matrix, program: Program):
        row: Row = {
            "user": program.user,
            "class": profiles()[program.user]["class"],
            "device": program.device,
            "timezone": program.zone,
            "when": program.when,
            "state": "has deposit",
            "network": "normal",
            "occupancy": "empty",
        }
        super().__init__(plan, row)
        self.program = program
        self.role = profiles()[program.user]["role"]
        self.taken = 0
        self.possible: frozenset[State] | None = None

    def tell_all(self) -> None:
        """Write the scenario."""
        program = self.program
        self.lines.append(f'Given the member "{program.user}" on {program.device} in {program.zone}')
        self.lines.append(f"And a class {program.when} with {_count(program.places, 'place')}")
        self._before(f"another class tomorrow at 12:00 with {_count(program.places, 'place')}")
        booked = program.booked and apply(self.state, call_of(self.state, CALLS[0], self.role, 0))[1].accepted
        self.taken = min(program.taken, program.places - booked)
        self._fill(self.taken)
        if booked:
            self._before("the member has booked the class")
        who = f"{program.others} other {'member' if program.others == 1 else 'members'}"
        self._before(f"{who} with {_count(program.classes, 'class')} each")
        self.possible = frozenset({self.state})
        for step in program.steps:
            if isinstance(step, str):
                self._happening(step)
            elif isinstance(step, One):
                self._one(step)
            else:
                self._at_once(step)
        self.lines.append("And no class is lost or given away")

    def _happening(self, sentence: str) -> None:
        self.said = self.said or "When"
        self.lines.append(f"{self.said} {sentence}")
        self.said = "And"
        played = set()
        for state in self.possible or ():
            self.state = state
            self._happens(sentence)
            played.add(self.state)
        self.possible = frozenset(played) if self.possible is not None else None

    def _calls(self, state: State, sentences: tuple[str, ...]) -> tuple[Call, ...]:
        calls: list[Call] = []
        for sentence in sentences:
            self.count += 1
            if sentence == ALL_OTHERS:
                calls += [replace(c, creates=f"{c.creates}-{self.count}") for c in others_book(self.others)]
            else:
                calls.append(call_of(state, sentence, self.role, self.count))
        return tuple(calls)

    def _one(self, step: One) -> None:
        before, number = self.possible, self.count
        after = (
            None if before is None else {s: apply(s, self._calls_again(number, s, (step.call,))[0])[0] for s in before}
        )
        fault = self._fault(step, after)
        if fault:
            self.lines.append(f"{self.said or 'When'} {fault}")
            self.faults.append(fault)
            self.said = "And"
        self._say(step.call)
        if step.again:
            self._say("the member repeats the request")
        if after is not None:
            # Whether a disturbed call took place, nobody can foretell; sent again with its key, it does in the end.
            unclear = fault and not step.again
            self.possible = frozenset(after.values()) | (frozenset(after) if unclear else frozenset())

    def _calls_again(self, number: int, state: State, sentences: tuple[str, ...]) -> tuple[Call, ...]:
        """Make the calls of a step as they are in one of the possible states; their numbers are the same in each."""
        self.count = number
        return self._calls(state, sentences)

    def _fault(self, step: One, after: dict[State, State] | None) -> str:
        if step.fault in DATABASE:
            points = _points(step.call, after) if after else []
            return f"the database {step.fault} at {points[step.point % len(points)]}" if points else ""
        return step.fault

    def _at_once(self, step: Together) -> None:
        number, before = self.count, self.possible
        lines = [line for line in self._orders(step) if self._is_certain(line, step)] if step.order is not None else []
        sentences = list(step.calls)
        if lines and step.order is not None:
            moves = lines[step.order % len(lines)].split(" | ")
            self.order += moves
            sentences += moves
        elif step.twice and step.calls[-1] != ALL_OTHERS:
            sentences.append("the app sends it twice")
        self._say("\n".join(["at the same time", *(f"...    {sentence}" for sentence in sentences)]))
        self.actors += [{"actor": c.split(" ")[1], "action": c, "delay_ms": 0} for c in step.calls]
        if before is not None:
            found = {end for s in before for end in _ends(s, self._calls_again(number, s, step.calls))}
            self.possible = frozenset(found) if len(found) <= MOST_STATES else None

    def _orders(self, step: Together) -> list[str]:
        if ALL_OTHERS in step.calls and self.others > 1:
            return []
        return [*orders.lines(step.calls, 1), *orders.lines(step.calls, 2)]

    def _is_certain(self, line: str, step: Together) -> bool:
        """Tell whether the first actor of an order comes to its gate, whatever has become of the steps before."""
        first = schedule.read(line)[0]
        names = orders.actors(step.calls)
        if first.actor not in names or self.possible is None:
            return False
        call = names[first.actor]
        after = {s: apply(s, self._calls(s, (call,))[0])[0] for s in self.possible}
        return first.to in _points(call, after)

    def _say(self, sentence: str) -> None:
        self.lines.append(f"{self.said or 'When'} {sentence}")
        self.said = ""
        self.lines.append("Then the answers fit one order of the calls")
        action = sentence.replace("\n...    ", " | ").removeprefix("at the same time | ")
        expected = "one order explains the answers"
        self.sequence.append({"step": len(self.sequence) + 1, "action": action, "expected": expected})


def _ends(state: State, calls: tuple[Call, ...]) -> set[State]:
    """Play calls in every order and return what can stand then; unlike the generator's, it tells the others apart."""
    found = set()
    for turn in permutations(calls):
        then = state
        for call in turn:
            then = apply(then, call)[0]
        found.add(then)
    return found


def _points(sentence: str, after: dict[State, State]) -> list[str]:
    """List where a call certainly comes by: the changes that the model makes in every state that there may be.

    Args:
        sentence: the call.
        after: by each state that may stand before the call, what stands then.
    """
    if not all(state != then for state, then in after.items()):
        return []
    changes = orders.gates(sentence)
    parts = {"deposit": "deposits", "booking": "bookings", "slot": "slots"}
    sure = [
        change
        for change in changes
        if all(
            getattr(s, parts[change.split(".")[0]]) != getattr(t, parts[change.split(".")[0]]) for s, t in after.items()
        )
    ]
    passed = [f"{table}.{schedule.PASSED[what]}" for table, _, what in (change.partition(".") for change in sure)]
    return [*sure, *passed, "commit"] if sure else []


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'}"
