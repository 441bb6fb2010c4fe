"""The people and classes of a load: their rows, and what the users need to know of them."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import rows
from acceptance.catalogue import Catalogue
from acceptance.contract import Contract
from acceptance.environment import Environment
from acceptance.errors import SuiteError
from acceptance.model import OF_THE_SCHEDULE, Operation
from acceptance.times import start_of

DAYS = 7
FIRST_MINUTE, OPEN_MINUTES = 8 * 60, 12 * 60  # classes start between 08:00 and 20:00
POPULAR_EVERY = 5
POPULAR_PLACES = 4
PLACES = (6, 12)
DEPOSITS = 2
PAID_FOR = (4, 10)
DESK_ROLES = ("secretary", "trainer")


class Traffic(StrEnum):
    """What the users do."""

    DAY = "day"
    WEEK = "week"
    RUSH = "rush"


@dataclass
class Plan:
    """What the users know; it travels to workers on other machines, so it holds no secret.

    ``contract`` is how the target says things (``speech``), ``classes`` lists the ids of the classes of each date,
    ``popular`` those that everybody wants, ``think`` is the mean time in seconds that a user waits between two actions.
    """

    run: str
    environment: str
    seed: int
    traffic: Traffic
    think: float
    workers: int
    operations: list[str]
    contract: dict[str, Any] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)
    staff: dict[str, str] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    popular: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))


@dataclass
class Scene:
    """All that was made: the plan, the rows' ids, and what must add up later."""

    plan: Plan
    credited: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def users(self) -> list[str]:
        """The ids of the members and the staff."""
        return [*self.plan.members, *self.plan.staff.values()]


def operations_missing(plan: Plan) -> list[str]:
    """Name what users would do, and the target cannot."""
    used = set(Operation) - OF_THE_SCHEDULE - {Operation.EXPIRE}
    return [name for name in Operation if name in used and name not in plan.operations]


def make(
    connection: Connection,
    catalogue: Catalogue,
    contract: Contract,
    plan: Plan,
    chosen: Environment,
    members: int,
    classes: int,
) -> Scene:
    """Write members, deposits, staff and a week of classes, in one round trip.

    Args:
        connection: in autocommit.
        catalogue: the columns that the target has.
        contract: its words for the roles of people; who is not known there is not made.
        plan: is filled in.
        chosen: the environment; its zone is the studio's.
        members: how many.
        classes: how many, over the seven days from tomorrow.

    Raises:
        SuiteError: when a class of somebody else stands in the way at every try.
    """
    scene, chance = Scene(plan), random.Random(plan.seed)  # noqa: S311 - reproducible on purpose
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        [(now,)] = cursor.fetchall()
    people = _people(scene, contract, members, now, chance)
    slots = _classes(scene, classes, now, chosen.zone, chance)
    for attempt in range(rows.TRIES):
        try:
            rows.insert(connection, catalogue, [*people, *(rows.slot(*one, attempt) for one in slots)])
        except psycopg2.errors.UniqueViolation:
            continue  # nothing is written then; each class starts at another microsecond next time
        return scene
    raise SuiteError(f"no free start times were found for {classes} classes in {rows.TRIES} tries.")


def _people(
    scene: Scene, contract: Contract, members: int, now: datetime, chance: random.Random
) -> list[tuple[str, dict[str, Any]]]:
    made, plan = [], scene.plan
    for role in DESK_ROLES:
        if not contract.reference and role not in contract.roles:
            continue
        plan.staff[role] = rows.row_id(plan.run, "load", role)
        scene.names[plan.staff[role]] = f"the {role}"
        made.append(rows.user(plan.staff[role], contract.role(role), f"Load {role}"))
    for number in range(1, members + 1):
        user_id = rows.row_id(plan.run, "load", "member", number)
        plan.members.append(user_id)
        scene.names[user_id] = f"member {number}"
        made.append(rows.user(user_id, contract.role("user"), f"Load member {number}"))
        for nth in range(DEPOSITS):
            deposit_id = rows.row_id(plan.run, "load", "deposit", number, nth)
            scene.credited[deposit_id] = classes = chance.randint(*PAID_FOR)
            row = {"id": deposit_id, "user_id": user_id, "classes_credited": classes, "deposit_remaining": classes}
            row |= {"is_active": True, "credited_at": now - timedelta(days=30 + nth)}
            made.append(("pilates_deposits", {**row, "expires_at": now + timedelta(days=30) if nth else None}))
    return made


def _classes(
    scene: Scene, count: int, now: datetime, zone: str, chance: random.Random
) -> list[tuple[str, datetime, int]]:
    made, plan, each_day = [], scene.plan, -(-count // DAYS)
    for number in range(count):
        day, place = number % DAYS + 1, number // DAYS
        minute = FIRST_MINUTE + place * OPEN_MINUTES // each_day
        start = start_of(f"in {day} days at {minute // 60:02}:{minute % 60:02}", now, zone)
        slot_id = rows.row_id(plan.run, "load", "class", number)
        popular = number % POPULAR_EVERY == 0
        if popular:
            plan.popular.append(slot_id)
        scene.peak[slot_id] = capacity = POPULAR_PLACES if popular else chance.randint(*PLACES)
        scene.names[slot_id] = f"the class on {start:%a %d %b at %H:%M}"
        plan.classes.setdefault(str(start.date()), []).append(slot_id)
        made.append((slot_id, start, capacity))
    return made
