"""Foresees, before anything is written, which cases of a run a target lets be judged, and why not the others.

Each sentence of a scenario is followed to the keywords of the libraries that it is made of (the resource files say
so), and each of these asks for what it needs where it would ask in a run: in ``acceptance.needs`` and the contract.
What only shows when a case runs, such as a rule that the target has chosen otherwise, is said to be so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from acceptance import needs
from acceptance.catalogue import Catalogue
from acceptance.contract import Contract
from acceptance.datafiles import profiles
from acceptance.environment import Target
from acceptance.errors import NotProven
from acceptance.instruments import TABLES as WITH_FAULT_POINTS
from acceptance.model import Operation
from acceptance.people import People, given_to
from acceptance.scene import CLOCK_CHANGE, STAFF
from RightsKeywords import OPERATIONS, TABLES
from tools.report.unproven import Reason, reasons
from tools.vocabulary import Step, steps_of

if TYPE_CHECKING:
    from robot.running import TestCase

NUMBER = re.compile(r"\d+")
NO_KEYS = "they repeat or lose requests, and the target keeps no idempotency keys, so each try may act"


@dataclass
class Rehearsal:
    """One case, as far as it can be gone through without the target."""

    target: Target
    catalogue: Catalogue
    contract: Contract
    given: People | None = None
    taken: list[str | None] = field(default_factory=list)
    at_once: bool = False
    maybe: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)  # what would come to light in the teardown only

    def person(self, role: str) -> None:
        """Have somebody of a role who acts."""
        if self.given is not None:
            self.taken.append(self.given.take(role, self.taken).user_id)
        else:
            self.contract.role(role)

    def caller(self, name: str) -> None:
        """Have somebody by the name that a scenario uses."""
        if name in STAFF:
            there = self.contract.staff_roles(STAFF[name])
            if self.given is not None:
                given_to(there, self.given, self.taken)
        elif name == "stranger":
            self.person("user")

    def ask(self, operation: Operation, caller: str = "member", member: str = "member") -> None:
        """Ask for something."""
        self.caller(caller)
        if operation in self.contract.composites:
            needs.one_call(operation, at_once=self.at_once)
            for one in self.contract.composites[operation]:
                self.ask(one, caller, member)
            return
        self.contract.need(operation)
        if operation in (Operation.BOOK, Operation.CREDIT) and caller != member:
            needs.argument_for_another(self.contract, operation)

    def tries_again(self) -> None:
        """Send a request more than once."""
        if not self.contract.idempotent:
            self.maybe.append(NO_KEYS)

    def fault_at(self, point: str) -> None:
        """Plan a fault inside the database."""
        needs.instruments(self.target.environment)
        kind = point.partition(".")[0]
        table = next((name for name, word in WITH_FAULT_POINTS.items() if word == kind), None)
        if table and table not in self.catalogue:
            self.last.append(f"not proven: {needs.NOT_PASSED}.")


# --- what each keyword needs ---------------------------------------------------------------------------------


def _profile(case: Rehearsal, step: Step) -> None:
    entry = profiles()[step.arguments[0]]
    case.person(entry["role"])
    if len(entry["deposits"]) > 1:
        needs.several_deposits(case.catalogue)
    for deposit in entry["deposits"]:
        if not deposit.get("active", True):
            needs.column(case.catalogue, "is_active", "pilates_deposits", "no deposit can be switched off")
        ends = deposit.get("expires")
        if ends and (not ends.startswith("+") or ends in ("+1d", "+2h")):
            needs.column(case.catalogue, "expires_at", "pilates_deposits", "no deposit can end at a moment")


def _others(case: Rehearsal, step: Step) -> None:
    for _ in range(_number(step.arguments[0])):
        case.person("user")


def _class(case: Rehearsal, step: Step) -> None:
    if CLOCK_CHANGE in step.arguments[0]:
        needs.clocks_that_change(case.contract.zone or case.target.environment.zone)


def _ask(case: Rehearsal, step: Step) -> None:
    case.ask(Operation[step.arguments[0]], step.named.get("caller", "member"), step.named.get("member", "member"))


def _at_the_same_time(case: Rehearsal, step: Step) -> None:
    case.at_once = True
    ordered = any("->" in one for one in step.arguments)
    for sentence in step.arguments:
        if "->" not in sentence and not sentence.endswith("ms later"):
            _walk(case, sentence)
    case.at_once = False
    if ordered:
        needs.instruments(case.target.environment)


def _one_while_the_other(case: Rehearsal, step: Step) -> None:
    case.at_once = True
    for sentence in step.arguments:
        _walk(case, sentence)
    case.at_once = False
    needs.instruments(case.target.environment)


def _everybody(case: Rehearsal, _: Step) -> None:
    case.contract.need(Operation.BOOK)  # of the rest they do what the target lets them


def _every_point(case: Rehearsal, step: Step) -> None:
    needs.instruments(case.target.environment)
    _walk(case, step.arguments[1])
    case.tries_again()


def _network(case: Rehearsal, step: Step) -> None:
    if step.arguments[0] != "normal":
        case.tries_again()


def _rights(case: Rehearsal, step: Step) -> None:
    operation = OPERATIONS[step.arguments[0]]
    if operation not in case.contract.composites:
        case.contract.need(operation)


def _expires(what: str) -> Callable[[Rehearsal, Step], None]:
    def need(case: Rehearsal, step: Step) -> None:
        switched_off = "False" in step.named.get("expire", "")
        needs.column(case.catalogue, "is_active" if switched_off else "expires_at", "pilates_deposits", what)

    return need


def _switches_off(case: Rehearsal, _: Step) -> None:
    if not case.at_once:
        needs.column(case.catalogue, "is_active", "pilates_schedule_slots", "no class can be switched off")


NEEDS: dict[str, Callable[[Rehearsal, Step], None]] = {
    "create member of profile": _profile,
    "create member": lambda case, _: case.person("user"),
    "create other members": _others,
    "expire the deposits": _expires("no deposit can expire now"),
    "end the first deposit": _expires("no deposit can end"),
    "create class": _class,
    "move the start": _class,
    "switch the class off": _switches_off,
    "ask": _ask,
    "ask beforehand": _ask,
    "ask as another": lambda case, step: case.ask(Operation[step.arguments[1]], "another", "another"),
    "let all other members book": lambda case, _: case.ask(Operation.BOOK, "another", "another"),
    "let everybody use the studio": _everybody,
    "at the same time": _at_the_same_time,
    "one while the other": _one_while_the_other,
    "repeat the request": lambda case, _: case.tries_again(),
    "use the key again": lambda case, _: case.tries_again(),
    "send it twice at once": lambda case, _: case.tries_again(),
    "set network": _network,
    "break next request": lambda case, _: case.tries_again(),
    "let the database fail": lambda case, step: case.fault_at(step.arguments[0]),
    "let the connection die": lambda case, step: case.fault_at(step.arguments[0]),
    "let the database take": lambda case, step: case.fault_at(step.arguments[0]),
    "fail at every point": _every_point,
    "calendar should show the booking": lambda case, _: needs.calendar(case.target),
    "calendar should agree": lambda case, _: needs.calendar(case.target),
    "disturb the calendar": lambda case, _: needs.calendar_to_disturb(case.target, "by the run"),
    "kill the calendar worker": lambda case, _: needs.calendar_worker(case.target),
    "nobody may ask but those of the table": _rights,
    "nobody may see or change but those of the table": lambda case, step: needs.table(
        case.catalogue, case.contract, TABLES[step.arguments[0]]
    ),
    "tokens that are no good open nothing": lambda case, _: case.caller("member"),
    "move to a private studio": lambda case, _: needs.studio_to_kill(case.target.environment),
}
# Keywords that every target lets be said, and those that only check what was done.
NEED_NOTHING = frozenset(
    {
        "accepted of them should be",
        "acknowledged should be there",
        "answer should be the first one",
        "begin case",
        "booking should stand",
        "break the next commit",
        "classes given back should be",
        "classes left should be",
        "connect to the studio",
        "create a week of classes",
        "delete the class",
        "deposits switched off should be",
        "end case",
        "last answer should be accepted",
        "last answer should be refused",
        "last answer should be unclear",
        "last answer should name the standing booking",
        "let members book and cancel while killed",
        "let the app give up at once",
        "lower the class to",
        "move back to the shared studio",
        "no class should be lost",
        "nothing should have changed",
        "places taken should be",
        "refused should not be there",
        "remove the deposits",
        "some order should explain the answers",
        "start should be shown in zone",
        "take places",
        "tap again",
        "unanswered should be whole or not there",
    }
)


def _walk(case: Rehearsal, sentence: str) -> None:
    for step in steps_of(sentence):
        need = NEEDS.get(step.keyword)
        if need is not None:
            need(case, step)


def _number(words: str) -> int:
    found = NUMBER.search(words)
    return int(found[0]) if found else 1


# --- what will be --------------------------------------------------------------------------------------------


@dataclass
class Foresight:
    """What is known beforehand of the cases of a run, by id: those that will not be judged, and may not be."""

    cases: int
    unproven: dict[str, str]
    maybe: dict[str, str]

    @property
    def reasons(self) -> list[Reason]:
        """Why cases will not be proven, the most frequent reason first."""
        return reasons(self.unproven.values())

    @property
    def doubts(self) -> list[Reason]:
        """Why others may turn out so."""
        return reasons(self.maybe.values())


def foresee(
    target: Target,
    catalogue: Catalogue,
    contract: Contract,
    scenarios: Mapping[str, Sequence[str]],
    given: People | None = None,
) -> Foresight:
    """Go through scenarios without the target.

    Args:
        target: the system.
        catalogue: its tables.
        contract: how it says what the contract says.
        scenarios: by test id the sentences, those of the setups first.
        given: the users that the environment gives.
    """
    unproven, maybe = {}, {}
    for test_id, sentences in scenarios.items():
        case = Rehearsal(target, catalogue, contract, given)
        try:
            for sentence in sentences:
                _walk(case, sentence)
            if case.last:
                raise NotProven(case.last[0])
        except NotProven as reason:
            unproven[test_id] = str(reason)
        else:
            if case.maybe:
                maybe[test_id] = f"not proven: {case.maybe[0]}."
    return Foresight(len(scenarios), unproven, maybe)


def scenarios_of(cases: Iterable[Mapping[str, object]], tests: Iterable[TestCase]) -> dict[str, list[str]]:
    """Collect the sentences of generated cases and of tests written by hand."""
    from robot.running import Keyword as Call

    found = {str(case["test_id"]): list(case["scenario"]) for case in cases}  # type: ignore[call-overload]
    for test in tests:
        said, parent = [], test.parent
        while parent is not None:
            if parent.setup:
                said.append("    ".join([str(parent.setup.name), *map(str, parent.setup.args)]))
            parent = parent.parent
        said += ["    ".join([str(one.name), *map(str, one.args)]) for one in test.body if isinstance(one, Call)]
        found[test.name.partition(" ")[0]] = said
    return found
