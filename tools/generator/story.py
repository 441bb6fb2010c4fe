"""Tells one case as a scenario: plays its steps against the sequential model and writes what must come of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from math import gcd
from typing import Any

from acceptance import calendar
from acceptance.bench import STAFF_DEVICE
from acceptance.datafiles import devices, profiles
from acceptance.errors import SuiteError
from acceptance.faults import NEVER_REACHED_THE_SERVER, Disturbance, disturbance
from acceptance.model import Answer, Booking, Call, Deposit, Operation, Refusal, Slot, State, Status
from acceptance.rules import apply
from acceptance.scene import PLAIN_DEVICE
from tools.generator.matrix import FILE, Action, Matrix, Row

LATER = re.compile(r"\d+ ms later")
CHOICE = re.compile(r"\[([^]]+)\]")
OF_THE_DATABASE = re.compile(r"the database (?:fails with \w+|connection dies|takes \d+ ms) at (?:\w+\.\w+|commit)")
WEEK = re.compile(r"a week of classes with \d+ places? each")
TRAFFIC = re.compile(r"everybody uses the studio for \d+ rounds?")
OF_THE_STUDIO = re.compile(r"the studio (?:switches the class off|lowers the class to (\d+) places?)")

# What a scenario's sentences ask of the studio: operation, caller's role, and the class.
ASKS: dict[str, tuple[Operation, str, str]] = {
    "the member books the class": (Operation.BOOK, "member", "class"),
    "the member books the other class": (Operation.BOOK, "member", "other class"),
    "the member cancels the booking": (Operation.CANCEL, "member", "class"),
    "the member confirms attendance": (Operation.CONFIRM, "member", "class"),
    "the member moves the booking to the other class": (Operation.RESCHEDULE, "member", "other class"),
    "the trainer confirms attendance": (Operation.CONFIRM, "trainer", "class"),
    "the front desk books the class for the member": (Operation.BOOK, "admin", "class"),
    "the front desk cancels the booking": (Operation.CANCEL, "admin", "class"),
    "the front desk removes the booking": (Operation.ADMIN_REMOVE, "admin", "class"),
    "the front desk checks for expired deposits": (Operation.EXPIRE, "admin", "class"),
    "another member books the class for the member": (Operation.BOOK, "stranger", "class"),
    "another member cancels the booking": (Operation.CANCEL, "stranger", "class"),
    "the other member books the class": (Operation.BOOK, "other-1", "class"),
    "the other member cancels her booking": (Operation.CANCEL, "other-1", "class"),
}
ALL_OTHERS = "all other members book the class at once"


def choose(sentence: str, turn: int) -> str:
    """Choose among a sentence's alternatives, written ``[one|another]``: each turn another combination.

    Args:
        sentence: with any number of such groups, or none.
        turn: counts the cases of the action from 0.
    """
    groups = [group.split("|") for group in CHOICE.findall(sentence)]
    combinations = list(product(*groups))
    # A stride without a common divisor meets every combination once, and changes all groups from turn to turn.
    stride = next(n for n in range(len(groups[-1]) + 1 if groups else 1, 10**6) if gcd(n, len(combinations)) == 1)
    chosen = iter(combinations[turn * stride % len(combinations)])
    return CHOICE.sub(lambda _: next(chosen), sentence)


@dataclass
class Story:
    """The scenario of one row: its lines, the seed's sequence of steps, and the model's state so far.

    ``turn`` counts the cases of the action from 0; it decides among the alternatives in its sentences.
    """

    matrix: Matrix
    row: Row
    turn: int = 0

    def __post_init__(self) -> None:
        self.lines: list[str] = []
        self.sequence: list[dict[str, Any]] = []
        self.actors: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.state = State(tuple(self._deposits()), (self._slot("class", row_when=self.row["when"]),))
        self.others = 0
        self.count = 0
        self.said = ""
        self.fault: Disturbance | None = None  # what the next call meets
        self.unclear: Call | None = None  # the last call, when its caller got no clear answer
        self.unclear_answer: Answer | None = None  # what the studio answered to it, if it ever got there
        self.fails = False  # whether the database fails in the next call
        self.broken: Call | None = None  # the last call, when the database failed in it
        self.order: list[str] = []

    def _deposits(self) -> list[Deposit]:
        if self.row["state"] == "no deposit":
            return []
        made = []
        for number, entry in enumerate(profiles()[self.row["user"]]["deposits"]):
            expires = str(entry["expires"])
            order = (entry["expires"] is None, _seconds(entry["expires"]), number)
            expired = expires.startswith("-")
            made.append((order, Deposit(f"paid-{number}", "member", entry["classes"], entry["active"], expired)))
        return [replace(deposit, position=rank) for rank, (_, deposit) in enumerate(sorted(made, key=lambda m: m[0]))]

    def _slot(self, name: str, row_when: str) -> Slot:
        return Slot(name, self.matrix.places, started=row_when.endswith("ago"))

    def tell(self, action: Action) -> None:
        """Write the whole scenario of an action.

        Raises:
            SuiteError: when a step is no sentence the generator knows.
        """
        row, taken = self.row, self.matrix.taken[self.row["occupancy"]]
        self.lines.append(f'Given the member "{row["user"]}" on {row["device"]} in {row["timezone"]}')
        if row["state"] == "no deposit":
            self.lines.append("And the member has no deposit")
        self.lines.append(f"And a class {row['when']} with {self.matrix.places} places")
        self._fill(taken)
        for sentence in action.given:
            self._before(sentence)
        if row["network"] != "normal":
            self.lines.append(f"And the network is {row['network']}")
        for step in action.do:
            alike = tuple(choose(s, self.turn) for s in step) if isinstance(step, tuple) else choose(step, self.turn)
            self._step(alike)
        if self.broken is not None:
            raise SuiteError(
                f"{FILE}: actions.{action.name}.do: after a fault in the database, let the request be repeated."
            )
        if action.category in ("functional", "edge"):
            self.lines.append(f"And the member sees the class at the same instant in {row['timezone']}")
        self.lines.append("And no class is lost or given away")

    def _fill(self, taken: int) -> None:
        """Let others hold places of the class already."""
        if taken:
            self.lines.append(f"And {taken} {'place is' if taken == 1 else 'places are'} taken")
        for number in range(taken):
            guest = f"guest-{number}"
            self._add_member(guest, 0)
            place = Booking(guest, guest, "class", f"{guest}-paid")
            self.state = replace(self.state, bookings=(*self.state.bookings, place))

    def _add_member(self, name: str, classes: int) -> None:
        self.state = replace(self.state, deposits=(*self.state.deposits, Deposit(f"{name}-paid", name, classes)))

    def _before(self, sentence: str) -> None:
        """Play a line of ``given``."""
        self.lines.append(f"And {sentence}")
        if sentence == "the member has booked the class":
            self._apply(self._call("the member books the class"))
        elif match := re.fullmatch(r"(\d+) other members? with (\d+) class(?:es)? each", sentence):
            self.others = int(match[1])
            for number in range(1, self.others + 1):
                self._add_member(f"other-{number}", int(match[2]))
        elif WEEK.fullmatch(sentence):
            pass  # nothing that is foretold stands in those classes
        elif sentence.startswith("another class "):
            other = Slot("other class", int(sentence.split()[-2]))
            self.state = replace(self.state, slots=(*self.state.slots, other))
        elif not self._happens(sentence):
            raise SuiteError(f"{FILE}: given: the generator does not know {sentence!r}.")

    def _happens(self, sentence: str) -> bool:
        """Play what happens to the class or on the network; False for any other sentence."""
        slot = self.state.slots[0]
        if fault := disturbance(sentence):
            self.faults.append(sentence)
            self.fault = fault
        elif OF_THE_DATABASE.fullmatch(sentence):
            self.faults.append(sentence)
            self.fails = "takes" not in sentence
        elif sentence == "the deposit has expired since":
            expired = (replace(d, expired=True) if d.member == "member" else d for d in self.state.deposits)
            self.state = replace(self.state, deposits=tuple(expired))
        elif sentence in calendar.FAULTS or sentence == "the calendar worker dies":
            self.faults.append(sentence)
        elif sentence == "the studio switches the class off":
            self.state = self.state.with_slot(replace(slot, active=False))
        elif sentence.startswith("the class has started "):
            self.state = self.state.with_slot(replace(slot, started=True))
        elif match := re.fullmatch(r"the studio lowers the class to (\d+) places?", sentence):
            self.state = self.state.with_slot(replace(slot, capacity=int(match[1])))
        else:
            return False
        return True

    def _call(self, sentence: str) -> Call:
        """Turn a sentence into a call upon what stands now."""
        self.count += 1
        return call_of(self.state, sentence, profiles()[self.row["user"]]["role"], self.count)

    def _apply(self, call: Call) -> Answer:
        self.state, answer = apply(self.state, call)
        return answer

    def _step(self, step: str | tuple[str, ...]) -> None:
        if isinstance(step, tuple):
            self._together(step)
        elif step == "the member repeats the request" and self.broken is not None:
            call, self.broken = self.broken, None
            answer = self._apply(call)
            self._write("When", step, self._expected(answer), self._outcome(call, answer))
        elif step == "the member repeats the request" and self.unclear is not None:
            call, self.unclear = self.unclear, None
            answer = self.unclear_answer or self._apply(call)
            self._write("When", step, self._expected(answer), self._outcome(call, answer))
        elif step == "the member repeats the request":
            self._write("When", step, "same answer", ["Then the answer is the same as before", self._left()])
        elif TRAFFIC.fullmatch(step):
            # Chance decides what they do in the run; they must not meet the member's own class by then.
            self._write("When", step, "one order explains the answers", ["Then the answers fit one order of the calls"])
        elif step == "the calendar agrees with the bookings":
            self.lines.append(f"And {step}")
        elif self._happens(step):
            self.lines.append(f"When {step}")
            self.said = "And"
        elif step == "the member taps again":
            if self.unclear is None:
                raise SuiteError(f"{FILE}: do: {step!r} needs a call without a clear answer before it.")
            self.count += 1
            self._ask(step, replace(self.unclear, creates=f"m{self.count}"), self.row["device"])
        else:
            call = self._call(step)
            of_role = {"admin": STAFF_DEVICE, "trainer": STAFF_DEVICE, "stranger": PLAIN_DEVICE}
            named = re.search(r" on ([\w-]+)$", step)
            device = named[1] if named else of_role.get(call.caller, self.row["device"])
            self._ask(step, call, device)

    def _ask(self, step: str, call: Call, device: str) -> None:
        """Play one call; after an error that the device does not try again, nobody knows what came of it."""
        fault, self.fault, self.unclear = self.fault, None, None
        if self.fails:
            # Whether the app tries again of itself depends on the device and on the target's wording of the error.
            self.fails, self.broken = False, call
            self._write("When", step, "the database fails: it happens wholly, or not at all", [])
            self.said = "And"
            return
        if fault is None or fault.status is None or fault.status in devices()[device].retry_statuses:
            answer = self._apply(call)
            self._write("When", step, self._expected(answer), self._outcome(call, answer))
            return
        self.unclear = call
        self.unclear_answer = None if fault.fault in NEVER_REACHED_THE_SERVER else self._apply(call)
        self._write("When", step, "no clear answer", ["Then the member gets no clear answer", self._left()])

    def _write(self, keyword: str, step: str, expected: str, lines: list[str]) -> None:
        self.lines.append(f"{self.said or keyword} {step}")
        self.said = ""
        self.lines += lines
        self.sequence.append({"step": len(self.sequence) + 1, "action": step, "expected": expected})

    def _expected(self, answer: Answer) -> str:
        return "success" if answer.accepted else f"refused because {self._reasons(answer)}"

    @staticmethod
    def _reasons(answer: Answer) -> str:
        return " or ".join(reason for reason in Refusal if reason in answer.refusals)

    def _left(self) -> str:
        left = self.state.left("member")
        return f"And {left} {'class is' if left == 1 else 'classes are'} left"

    def _outcome(self, call: Call, answer: Answer) -> list[str]:
        """Write what must come of one call."""
        if not answer.accepted:
            return [f"Then the studio refuses because {self._reasons(answer)}", "And nothing has changed", self._left()]
        lines = ["Then the studio accepts it"]
        if answer.given_back is not None:
            back = answer.given_back
            lines.append(f"And {back} {'class is' if back == 1 else 'classes are'} given back")
        lines.append(self._left())
        if call.operation in (Operation.BOOK, Operation.CANCEL, Operation.ADMIN_REMOVE, Operation.RESCHEDULE):
            standing = any(b.member == "member" and b.status is Status.CONFIRMED for b in self.state.bookings)
            lines.append(f"And {'the' if standing else 'no'} booking stands in the calendar")
        return lines

    def _together(self, step: tuple[str, ...]) -> None:
        """Write calls at the same time: what all their orders agree on, and that one order must explain the rest."""
        calls: list[Call] = []
        delay = 0
        if self.fault is not None and self.fault.status is not None:
            raise SuiteError(f"{FILE}: do: {self.fault.fault!r} before calls at the same time is not worked out.")
        self.fault = None
        for sentence in step:
            if LATER.fullmatch(sentence):
                delay += int(sentence.split()[0])
            elif "->" in sentence:
                self.order.append(sentence)
            elif sentence == ALL_OTHERS:
                calls += others_book(self.others)
                self.actors.append({"actor": "others", "action": sentence, "delay_ms": delay})
            else:
                calls.append(self._call(sentence))
                actor = sentence.split(" ")[1]
                self.actors.append({"actor": actor, "action": sentence, "delay_ms": delay})
        found = ends(self.state, tuple(calls))
        accepted = {count for count, _ in found}
        lines = ["Then the answers fit one order of the calls"]
        if len(accepted) == 1:
            (count,) = accepted
            lines.insert(0, f"Then exactly {count} of them {'is' if count == 1 else 'are'} accepted")
            lines[1] = "And the answers fit one order of the calls"
        self.state = found[0][1]
        if len({state.left("member") for _, state in found}) == 1:
            lines.append(self._left())
        taken = {state.taken("class") for _, state in found}
        if len(taken) == 1:
            (count,) = taken
            lines.append(f"And the class has {count} {'place' if count == 1 else 'places'} taken")
        text = "\n".join(["at the same time", *(f"...    {sentence}" for sentence in step)])
        self.lines.append(f"When {text}")
        self.lines += lines
        self.sequence.append(
            {"step": len(self.sequence) + 1, "action": " | ".join(step), "expected": "one order explains the answers"}
        )


def call_of(state: State, sentence: str, role: str, number: int) -> Call:
    """Turn a sentence into a call.

    Args:
        state: what stands; the call is about the member's latest booking in it, a confirmed one first.
        sentence: for example "the member books the class", with or without a device at its end.
        role: the member's.
        number: counts the calls of a case; gives what the call makes its name.

    Raises:
        SuiteError: when it is none the generator knows.
    """
    if match := OF_THE_STUDIO.fullmatch(sentence):
        operation = Operation.RESIZE if match[1] else Operation.SWITCH_OFF
        return Call(operation, "studio", "service", "member", "class", places=int(match[1] or 0))
    if match := re.fullmatch(r"the front desk credits (\d+) class(?:es)?", sentence):
        return Call(Operation.CREDIT, "admin", "admin", "member", creates=f"m{number}", classes=int(match[1]))
    plain = re.sub(r" on [\w-]+$", "", sentence)
    if plain not in ASKS:
        raise SuiteError(f"{FILE}: do: the generator does not know {sentence!r}.")
    operation, who, slot = ASKS[plain]
    subject = who if who.startswith("other-") else "member"
    mine = [b for b in state.bookings if b.member == subject]
    standing = [b for b in mine if b.status is Status.CONFIRMED]
    booking = (standing or mine)[-1].id if mine else "none"
    if who != "member":
        role = who if who in ("admin", "trainer") else "user"
    return Call(operation, who, role, subject, slot, booking, f"m{number}")


def others_book(others: int) -> list[Call]:
    """Return the calls of all other members who book the class at once."""
    names = [f"other-{number}" for number in range(1, others + 1)]
    return [Call(Operation.BOOK, name, member=name, slot="class", creates=f"b-{name}") for name in names]


@cache
def ends(start: State, calls: tuple[Call, ...]) -> tuple[tuple[int, State], ...]:
    """Play the calls in every order, without playing again what differs by a name only.

    Calls that are alike but for the name of what they make, or of the other member who makes them, are
    interchangeable: they take their turns in one fixed order, and a point met before is not gone on from again.

    Returns:
        Each way it can end: how many calls are accepted, and what stands then.
    """
    alike: dict[Call, list[Call]] = {}
    for call in calls:
        member = "others" if call.member.startswith("other-") else call.member
        caller = member if call.caller == call.member else call.caller
        alike.setdefault(replace(call, creates="", member=member, caller=caller), []).append(call)
    groups = list(alike.values())
    open_ends = [(start, (0,) * len(groups), 0)]
    met = set(open_ends)
    ends = []
    while open_ends:
        state, played, accepted = open_ends.pop()
        if sum(played) == len(calls):
            ends.append((accepted, state))
        for number, group in enumerate(groups):
            if played[number] < len(group):
                after, answer = apply(state, group[played[number]])
                turn = (*played[:number], played[number] + 1, *played[number + 1 :])
                point = (after, turn, accepted + answer.accepted)
                if point not in met:
                    met.add(point)
                    open_ends.append(point)
    return tuple(ends)


def _seconds(words: str | None) -> int:
    if words is None or words == "today":
        return 0
    return int(words[:-1]) * {"d": 86_400, "h": 3_600}[words[-1]]
