"""Keywords about rights: who may ask for what, and who sees and writes which rows."""

from __future__ import annotations

import uuid
from dataclasses import replace

from robot.api import logger
from robot.api.deco import keyword, library

from acceptance import client, current, filling
from acceptance.client import Caller, Outcome, Request
from acceptance.errors import NotProven
from acceptance.model import FOR_STAFF_ONLY, MAY_ACT_FOR_OTHERS, Operation, Status
from acceptance.running_case import RunningCase

TABLES = {
    "profile": ("user_profiles", "user_id"),
    "deposits": ("pilates_deposits", "user_id"),
    "bookings": ("pilates_bookings", "user_id"),
    "audit log": ("pilates_audit_log", "user_id"),
}

_OF_A_BOOKING = frozenset({Operation.CANCEL, Operation.RESCHEDULE, Operation.CONFIRM})


@library(scope="GLOBAL", auto_keywords=False)
class RightsKeywords:
    """Asks in the name of those who may not, and looks and writes where they must not."""

    @keyword
    def everybody_else_should_be_refused(
        self, operation: Operation, *, slot: str = "class", classes: str = "3"
    ) -> None:
        """Lets everybody ask who may not, one after the other: each must be refused, and nothing may change.

        Those are another member, whoever is not signed in, somebody with a token of nobody, and the trainer and the
        member unless they may. About a booking each of them asks once in the member's name, and once in their own.

        Example:
        | Everybody Else Should Be Refused | CONFIRM |
        """
        case = current.case()
        contract = case.bench.contract
        function = contract.functions.get(operation)
        if operation is Operation.BOOK and function and not contract.reference and "member" not in function.arguments:
            logger.info(f"{function.name} has no argument for the member: nobody can ask for somebody else.")
            return
        callers = [case.caller("stranger"), *_outsiders(case)]
        if "trainer" not in MAY_ACT_FOR_OTHERS[operation]:
            callers.append(case.caller("trainer"))
        if operation in FOR_STAFF_ONLY:
            callers.append(case.caller("member"))
        for caller in callers:
            # Also in their own name: a studio must ask whose booking it is, not whose name stands in the request.
            for own_name in (False, True) if operation in _OF_A_BOOKING else (False,):
                case.ask(operation, caller, slot=slot, classes=current.count(classes), own_name=own_name)
                reply = case.done().reply
                logger.info(f"{caller.name}: {operation}: {reply.described()}")
                refused = reply.outcome is Outcome.REFUSED and not case.changed
                case.expect(refused, f"{caller.name} must be refused, but the answer is {reply.described()}.")

    @keyword
    def others_should_not_see(self, what: str) -> None:
        """Lets outsiders look for the member's rows: they must be shown nothing.

        | =Argument= | =Meaning= |
        | ``what``   | ``profile``, ``deposits``, ``bookings`` or ``audit log``; the last is hidden from the member too |

        Example:
        | Others Should Not See | profile |
        """
        case = current.case()
        table, column = TABLES[what]
        if what == "audit log" and not case.bench.contract.audit:
            raise NotProven("not proven: the target keeps no audit log as the contract has it.")
        member = case.people["member"].user_id
        callers = [case.caller("stranger"), *_outsiders(case)]
        if what == "audit log":
            callers += [case.caller("member"), case.caller("trainer")]
        for caller in callers:
            shown = case.read(Request("GET", f"/{table}", caller, params={column: f"eq.{member}"})) or []
            case.expect(not shown, f"{caller.name} must not see the member's {what}, but is shown {len(shown)} rows.")

    @keyword
    def everybody_should_see_the_schedule(self) -> None:
        """Lets a visitor, a member and a trainer look at the class: they must all be shown it.

        Example:
        | Everybody Should See The Schedule |
        """
        case = current.case()
        contract = case.bench.contract
        view = contract.occupancy == "view"
        table, key = ("pilates_slots_with_occupancy", "slot_id") if view else ("pilates_schedule_slots", "id")
        outsiders = _outsiders(case)
        for caller in (case.caller("member"), case.caller("trainer"), *outsiders):
            if caller in outsiders and not contract.reference:
                case.doubt = case.doubt or "whether visitors see the schedule is the target's own affair"
            shown = case.read(Request("GET", f"/{table}", caller, params={key: f"eq.{case.slot('class')}"})) or []
            case.expect(len(shown) == 1, f"{caller.name} must see the class, but is shown {len(shown)} rows.")

    @keyword
    def nobody_should_write_around_the_studio(self) -> None:
        """Lets the member, a stranger and a visitor write the tables themselves: nothing may change.

        Example:
        | Nobody Should Write Around The Studio |
        """
        case = current.case()
        member, slot = case.people["member"].user_id or "", case.slot("class")
        callers = (case.caller("member"), case.caller("stranger"), *_outsiders(case))
        before = case.snapshot()
        booking = {"user_id": member, "slot_id": slot, "deposit_id": before.deposits[0]["id"]}
        deposit = {"user_id": member, "classes_credited": 9, "deposit_remaining": 9}
        contract, role = case.bench.contract, "admin"
        if not contract.reference:  # with everything that its columns ask for, so that rights alone are in the way
            booking, deposit = (
                filling.complete(case.bench.catalogue, [(table, row)])[-1][1]
                for table, row in (("pilates_bookings", booking), ("pilates_deposits", deposit))
            )
            role = contract.roles.get("admin", "admin")
        attempts = [
            ("PATCH", f"/pilates_deposits?user_id=eq.{member}", {"deposit_remaining": 99}),
            ("PATCH", f"/pilates_bookings?user_id=eq.{member}", {"status": contract.status(Status.CANCELLED)}),
            ("POST", "/pilates_deposits", deposit),
            ("POST", "/pilates_bookings", booking),
            ("DELETE", f"/pilates_bookings?user_id=eq.{member}", None),
            ("PATCH", f"/pilates_schedule_slots?id=eq.{slot}", {"max_capacity": 99}),
            ("PATCH", f"/user_profiles?user_id=eq.{member}", {"role": role}),
        ]
        if case.bench.users_given is not None:
            attempts = [one for one in attempts if not one[1].startswith("/user_profiles")]
            logger.info("Nobody tries to change the member's profile: it is that of a user whom the environment gives.")
        for caller in callers:
            for method, path, body in attempts:
                case.read(Request(method, path, caller, body=body))
                after = case.snapshot()
                same = (after.rows(), after.users) == (before.rows(), before.users)
                case.expect(same, f"{caller.name} must not write, but {method} {path.partition('?')[0]} changed rows.")


def _outsiders(case: RunningCase) -> list[Caller]:
    """Make a visitor without a sign-in, and where tokens can be signed somebody whose token names nobody."""
    stranger = case.caller("stranger")
    nobody = str(uuid.UUID(int=case.random.getrandbits(128), version=4))
    visitor = replace(stranger, name="visitor", role="", user_id=None, token=None)
    if case.bench.users_given is not None:
        return [visitor]
    token = client.token(case.bench.target, nobody)
    return [visitor, replace(stranger, name="nobody", role="", user_id=nobody, token=token)]
