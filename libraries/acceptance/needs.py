"""What cases need of a target and not every target has: asked here when a case runs, and when `doctor` foresees it.

Each function returns when the target has it, and otherwise raises what ends the case as not proven, with the reason.
"""

from __future__ import annotations

from acceptance.catalogue import PUBLIC, Catalogue
from acceptance.contract import Contract
from acceptance.environment import Environment, Target
from acceptance.errors import NotProven
from acceptance.model import Operation

NOT_PASSED = "planned, but the call did not pass there on this target"
AUDIT, OUTBOX = "pilates_audit_log", "pilates_calendar_outbox"


def instruments(environment: Environment) -> None:
    """Need triggers of the suite's own inside the database, for ordered races and faults there."""
    if not environment.instruments:
        raise NotProven(f"not proven: {environment.name} does not allow instruments in its database.")


def studio_to_kill(environment: Environment) -> None:
    """Need a system that nobody else uses, and that may be killed."""
    if environment.foreign:
        raise NotProven(f"not proven: {environment.name} is not ours to kill; only the embedded studio is.")


def calendar(target: Target) -> None:
    """Need a calendar server that shows the members' bookings."""
    if not target.calendar_url:
        raise NotProven("not proven: the target has no calendar server that the suite can read.")
    if target.environment.users_given:
        raise NotProven("not proven: the calendars of users whom the environment gives are their own.")


def calendar_to_disturb(target: Target, network_url: str) -> None:
    """Need a proxy between the target and its calendar server."""
    if not target.calendar_url or not network_url:
        raise NotProven("not proven: the target has no calendar that the suite could disturb.")
    if target.lease is None:
        raise NotProven("not proven: no network proxy stands between this target and its calendar.")


def calendar_worker(target: Target) -> None:
    """Need the process that tells the calendar, to kill it."""
    if target.lease is None or not target.lease.worker_pid:
        raise NotProven("not proven: only the embedded studio lets its calendar worker be killed.")


def table(catalogue: Catalogue, contract: Contract, name: str) -> None:
    """Need a table of the contract, as the contract has it."""
    if name not in catalogue:
        raise NotProven(f"not proven: the target has no {name}.")
    if (name == AUDIT and not contract.audit) or (name == OUTBOX and not contract.outbox):
        raise NotProven(f"not proven: the target's {name} is not as the contract has it.")


def column(catalogue: Catalogue, name: str, of_table: str, what: str) -> None:
    """Need a column that a target may lack, or that holds whole days only there; ``what`` cannot be without it."""
    if name not in catalogue[of_table]:
        raise NotProven(f"not proven: the target's {of_table} has no column {name}, so {what}.")
    if name == "expires_at" and catalogue.tables[f"{PUBLIC}{of_table}"].columns[name].type == "date":
        raise NotProven(f"not proven: {of_table}.{name} holds whole days only, so {what}.")


def several_deposits(catalogue: Catalogue) -> None:
    """Need more than one deposit for a member."""
    if frozenset({"user_id"}) in catalogue.tables[f"{PUBLIC}pilates_deposits"].unique:
        raise NotProven("not proven: the target keeps one deposit for each member, and this needs several.")


def clocks_that_change(zone: str) -> None:
    """Need a time zone with a summer time."""
    if zone == "UTC":
        raise NotProven("not proven: the target's zone is UTC, which does not change its clocks.")


def one_call(operation: Operation, *, at_once: bool) -> None:
    """Need an operation that is one call, where it happens at the same time as something else."""
    if at_once:
        raise NotProven(f"not proven: the target's {operation} is several calls, which have no common moment.")


def argument_for_another(contract: Contract, operation: Operation) -> None:
    """Need a way to say for whom something is asked."""
    if not contract.reference and not contract.can_name(operation, "member"):
        name = contract.functions[operation].name
        raise NotProven(f"not proven: {name} has no argument for the member, so nobody can ask for another.")
