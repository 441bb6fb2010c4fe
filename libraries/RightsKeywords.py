"""Keywords about rights: who may ask for what, and who sees and writes which rows, as ``data/access.yaml`` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from robot.api import logger
from robot.api.deco import keyword, library

from acceptance import current, trespass
from acceptance.access import ASKED, Line, May
from acceptance.client import Caller, Outcome, Request
from acceptance.doubts import About
from acceptance.errors import NotProven, SuiteError
from acceptance.model import Operation
from acceptance.rows import OCCUPANCY
from acceptance.running_case import RunningCase

OPERATIONS = {words: Operation(operation) for operation, words in ASKED.items()}
TABLES = {
    "profiles": "user_profiles",
    "the schedule": "pilates_schedule_slots",
    "deposits": "pilates_deposits",
    "bookings": "pilates_bookings",
    "the occupancy": OCCUPANCY,
    "the audit log": trespass.AUDIT,
    "calendar events": trespass.OUTBOX,
    "idempotency keys": trespass.KEYS,
}
OF_A_BOOKING = frozenset({Operation.CANCEL, Operation.RESCHEDULE, Operation.ADMIN_REMOVE, Operation.CONFIRM})
OF_A_MEMBER = (Operation.BOOK, Operation.CREDIT)
NAMED = frozenset({Operation.CANCEL, Operation.RESCHEDULE, Operation.CONFIRM})

UNAUTHORIZED = 401
T = TypeVar("T")


@library(scope="GLOBAL", auto_keywords=False)
class RightsKeywords:
    """Asks in the name of those who may and of those who may not, and looks and writes where they must not."""

    @keyword
    def nobody_may_ask_but_those_of_the_table(self, what: str) -> None:
        """Lets everybody of ``data/access.yaml`` ask: who may is answered, who may not is refused, and nothing changes.

        About a booking everybody but the member asks once in the member's name, and once in their own. The member needs
        nine classes, and there must be a class and another class.

        | =Argument= | =Meaning= |
        | ``what``   | ``book the class``, ``cancel the booking``, ``move the booking``, ``remove the booking``,
                       ``confirm attendance``, ``credit classes`` or ``check for expired deposits`` |

        Example:
        | Nobody May Ask But Those Of The Table | confirm attendance |
        """
        case, operation = current.case(), _known(OPERATIONS, what)
        contract, access = case.bench.contract, case.bench.target.environment.access
        if operation not in contract.composites:
            contract.need(operation)
        if operation in OF_A_BOOKING:
            case.ask(Operation.BOOK, case.caller("member"))
        chosen: dict[str, dict[str, bool]] = {}
        trespassers: list[str] = []
        slot = "other class"
        for name, may in _in_order(access.operations[operation], reference=contract.reference):
            judged = contract.reference or not may.open
            if trespassers and (may.ours or not judged):
                break  # whoever comes now may: what those who must not have taken would be in the way
            named = contract.reference or operation not in OF_A_MEMBER or contract.can_name(operation, "member")
            if name != "member" and not named:
                logger.info(f"{name}: has no argument to say for whom; nobody can ask for somebody else.")
                continue
            try:
                who = trespass.caller(case, name)
            except NotProven as error:
                logger.info(f"{name}: {error}")
                continue
            if judged and not may.ours:
                if _trespasses(case, operation, who, slot):
                    trespassers.append(name)
                    slot = _prepare(case, operation)  # what one was granted is not there for the next one
                continue
            accepted = _asks(case, operation, who, judged=judged)
            if not judged:
                chosen.setdefault(what, {})[name] = accepted
        case.expect(not trespassers, f"{', '.join(trespassers)} must be refused.")
        _report(case, chosen)

    @keyword
    def nobody_may_see_or_change_but_those_of_the_table(self, what: str) -> None:
        """Lets everybody of ``data/access.yaml`` read, insert, update and delete rows of a member, around the studio.

        Each try is made on rows of its own, so nothing but rights is in the way. There must be a class.

        | =Argument= | =Meaning= |
        | ``what``   | ``profiles``, ``the schedule``, ``deposits``, ``bookings``, ``the occupancy``, ``the audit log``,
                       ``calendar events`` or ``idempotency keys`` |

        Example:
        | Nobody May See Or Change But Those Of The Table | deposits |
        """
        case, table = current.case(), _known(TABLES, what)
        if table not in case.bench.catalogue:
            raise NotProven(f"not proven: the target has no {table}.")
        contract, access = case.bench.contract, case.bench.target.environment.access
        if table in (trespass.AUDIT, trespass.OUTBOX) and not (contract.audit if "audit" in table else contract.outbox):
            raise NotProven(f"not proven: the target's {table} is not as the contract has it.")
        chosen: dict[str, dict[str, bool]] = {}
        wrong: dict[tuple[str, bool], list[str]] = {}
        for name in access.callers:
            try:
                who = trespass.caller(case, name)
            except NotProven as error:
                logger.info(f"{name}: {error}")
                continue
            for action, done in trespass.tries(case, table, who, access.changes[table]).items():
                may = access.tables[table][action][name]
                logger.info(f"{name}: {action}: {'done' if done else 'not done'}")
                if may.open and not contract.reference:
                    chosen.setdefault(f"{action} {what}", {})[name] = done
                elif done != may.ours:
                    wrong.setdefault((action, done), []).append(name)
        case.judge_rights([_said(who, action, table, done=done) for (action, done), who in wrong.items()])
        case.expect(not wrong, f"{what} are not seen and changed by those of data/access.yaml alone.")
        _report(case, chosen)

    @keyword
    def tokens_that_are_no_good_open_nothing(self) -> None:
        """Shows tokens that are expired, not yet valid, not signed, signed by others, or no tokens at all.

        With each of them somebody asks for a booking, for the member's deposits and for the schedule that everybody
        sees, and tries to make a deposit: each must be turned away with the status 401, and nothing may change.

        Example:
        | Tokens That Are No Good Open Nothing |
        """
        case = current.case()
        before = case.snapshot()
        requests: list[tuple[str, str, dict[str, Any] | None]] = [
            ("GET", f"/pilates_deposits?user_id=eq.{case.people['member'].user_id}", None),
            ("GET", f"/pilates_schedule_slots?id=eq.{case.slot('class')}", None),
            ("PATCH", f"/pilates_deposits?user_id=eq.{case.people['member'].user_id}", {"deposit_remaining": 99}),
        ]
        contract = case.bench.contract
        if Operation.BOOK in contract.operations:
            names = contract.functions[Operation.BOOK].arguments.values() or ("p_user_id", "p_slot_id")
            requests.append(("POST", contract.path(Operation.BOOK), dict.fromkeys(names)))
        for caller in trespass.forged(case):
            for method, path, body in requests:
                reply = case.send(Request(method, path, caller, body=body))
                told = f"{caller.name}: {method} {path.partition('?')[0]}: {reply.described()}"
                logger.info(told)
                case.expect(reply.status == UNAUTHORIZED, f"{told}; a token like that must be refused with 401.")
        after = case.snapshot()
        same = (after.rows(), after.users) == (before.rows(), before.users)
        case.expect(same, "rows have changed, though nobody with a valid token asked.")


def _known(words: dict[str, T], what: str) -> T:
    """Look a scenario's words up."""
    if what not in words:
        raise SuiteError(f"{what!r} is nothing that data/access.yaml is about; say one of: {', '.join(words)}.")
    return words[what]


def _in_order(line: Line, *, reference: bool) -> Iterator[tuple[str, May]]:
    """Order callers: first those who must not, then those who may, last those who are a target's own affair."""
    return iter(sorted(line.items(), key=lambda one: (one[1].open and not reference, one[1].ours)))


def _trespasses(case: RunningCase, operation: Operation, caller: Caller, slot: str) -> bool:
    """Let somebody ask who must not; returns whether it was granted, which is a breach already."""
    name = caller.name
    # Also in their own name: a studio must ask whose booking it is, not whose name stands in the request.
    for own_name in (False, True) if operation in NAMED else (False,):
        case.ask(operation, caller, slot=slot, classes=3, own_name=own_name)
        reply = case.done().reply
        logger.info(f"{name}: {operation}: {reply.described()}")
        if reply.outcome is Outcome.ACCEPTED:
            return True
        refused = reply.outcome is Outcome.REFUSED and not case.changed
        if not refused:
            case.expect(False, f"{name} must be refused, but the answer is {reply.described()}.", About.ANY_SYSTEM)
    return False


def _asks(case: RunningCase, operation: Operation, caller: Caller, *, judged: bool) -> bool:
    """Let somebody ask who may, or whom the target may answer as it likes; returns whether it was accepted."""
    name, slot = caller.name, _prepare(case, operation)
    case.ask(operation, caller, slot=slot, classes=3)
    reply = case.done().reply
    logger.info(f"{name}: {operation}: {reply.described()}")
    accepted = reply.outcome is Outcome.ACCEPTED
    if judged:
        case.expect(accepted, f"{name} must be answered, but the answer is {reply.described()}.")
    return accepted


def _prepare(case: RunningCase, operation: Operation) -> str:
    """Make what an operation needs to be possible, in classes of their own; returns the class it is about."""
    if operation not in OF_A_BOOKING and operation is not Operation.BOOK:
        return "class"
    first, second = (f"class {len(case.slots) + more}" for more in (1, 2))
    case.add_slot(first, "in 2 days at 10:00", 4)
    if operation is Operation.BOOK:
        return first
    case.ask(Operation.BOOK, case.caller("member"), slot=first)
    if operation is not Operation.RESCHEDULE:
        return first
    case.add_slot(second, "in 2 days at 12:00", 4)
    return second


def _said(who: list[str], action: str, table: str, *, done: bool) -> str:
    """Say in a sentence what somebody could do, or could not."""
    names = ", ".join(who)
    return f"{names} must not {action} {table}, and could." if done else f"{names} may {action} {table}, and could not."


def _report(case: RunningCase, chosen: dict[str, dict[str, bool]]) -> None:
    """Say what a target has chosen where a studio may choose."""
    for what, callers in chosen.items():
        may = [name for name, accepted in callers.items() if accepted]
        may_not = [name for name, accepted in callers.items() if not accepted]
        for who, word in ((may, "may"), (may_not, "may not")):
            if who:
                case.doubts.tell(f"{', '.join(who)} {word} {what}")
