"""What there is before a case acts: its people, their deposits, its classes; as rows and as the model's state."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from acceptance import client, needs, rows
from acceptance.bench import STAFF_DEVICE, Bench
from acceptance.client import Caller
from acceptance.datafiles import devices, profiles
from acceptance.errors import SuiteError
from acceptance.model import Booking, Deposit, Slot, State, Status
from acceptance.people import given_to
from acceptance.times import start_of

PLAIN_DEVICE = "api"
CLOCK_CHANGE = "clock change"
OF_THE_WEEK = "class of day"
LAST_MINUTES = timedelta(minutes=10)
STAFF = {
    "front desk": ("secretary", "admin"),
    "trainer": ("trainer",),
    "secretary": ("secretary",),
    "admin": ("admin",),
}


class Scene:
    """The people and classes of one case, made as its scenario names them.

    Args:
        bench: the process's tools.
        test_id: the case's id, the first word of the test's name.
        seed: source of everything random in the case.
    """

    def __init__(self, bench: Bench, test_id: str, seed: int):
        self.bench, self.test_id, self.seed = bench, test_id, seed
        self.random = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self.attempt = uuid.uuid4().hex
        self.people: dict[str, Caller] = {}
        self.others: list[Caller] = []
        self.slots: dict[str, str] = {}
        self.starts: dict[str, datetime] = {}
        self.state = State()
        self.credited: dict[str, int] = {}
        self.peak: dict[str, int] = {}
        self.names: dict[str, str] = {}
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.events: list[dict[str, Any]] = []
        self._inserted = 0
        self._count = 0

    @cached_property
    def now(self) -> datetime:
        """The database's instant at which the scene was begun; all its times count from it."""
        return self.bench.now()

    @property
    def waiting(self) -> list[tuple[str, dict[str, Any]]]:
        """The rows that are not written yet."""
        return self.made[self._inserted :]

    def caller(self, name: str, device: str = "") -> Caller:
        """Return somebody by name, on another device where one is named."""
        if name == "studio":
            token = client.token(self.bench.target, None, "service_role")
            return Caller("studio", "service", None, devices()[STAFF_DEVICE], self.bench.target.environment.zone, token)
        if name in STAFF:
            roles = self.bench.contract.staff_roles(STAFF[name])
            if self.bench.users_given is not None:
                roles = given_to(roles, self.bench.users_given, [one.user_id for one in self.people.values()])
            person = self.bench.staff(self.random.choice(roles))
            table, row = rows.user(person.user_id or "", self.bench.contract.role(person.role), person.name)
            self.events.append({"insert": table, "row": row})
        elif name == "stranger" and name not in self.people:
            person = self.add_member("stranger", 1)
        elif name in self.people:
            person = self.people[name]
        else:
            raise SuiteError(f"nobody is called {name!r} in this scenario; say first who there is.")
        if device and device not in devices():
            raise SuiteError(f"there is no device {device!r} in data/devices.yaml; known: {', '.join(devices())}.")
        return replace(person, device=devices()[device]) if device else person

    def slot(self, name: str) -> str:
        """Return the id of "class" or "other class"."""
        if name not in self.slots:
            raise SuiteError(f"this scenario has no {name}; say first when it is and how many places it has.")
        return self.slots[name]

    def insert(self) -> None:
        """Write the waiting rows, in one round trip."""
        if self.waiting:
            rows.insert(self.bench.connection, self.bench.catalogue, self.waiting)
            self._count_places()
            self.events += [{"insert": table, "row": self._relative(row)} for table, row in self.waiting]
            self._inserted = len(self.made)

    def _count_places(self) -> None:
        """Let a class's own counter tell of the places that the scene has given, where no trigger has done it."""
        contract = self.bench.contract
        if contract.counter and any(table == "pilates_bookings" for table, _ in self.waiting):
            rows.count_places(
                self.bench.connection, contract.counter, contract.status(Status.CONFIRMED), list(self.slots.values())
            )

    def _need_column(self, table: str, column: str, what: str) -> None:
        """Look whether the target can be told what a scene asks for.

        Raises:
            NotProven: when a column is missing, or holds whole days only.
        """
        needs.column(self.bench.catalogue, column, table, what)

    def add_profile(self, profile: str, device: str, zone: str) -> None:
        """Make the member from a profile of ``data/users.yaml``, with that profile's deposits."""
        if profile not in profiles():
            raise SuiteError(f"there is no user profile {profile!r} in data/users.yaml.")
        entry = profiles()[profile]
        member = self._add_person("member", entry["role"], entry["name"], device, zone)
        self._add_deposits(member, entry["deposits"])

    def drop_deposits(self) -> None:
        """Let the member have no deposit at all; the rows are not written yet."""
        mine = self.people["member"].user_id
        self.made = [(t, r) for t, r in self.made if t != "pilates_deposits" or r["user_id"] != mine]
        self.state = replace(self.state, deposits=tuple(d for d in self.state.deposits if d.member != mine))

    def add_member(self, name: str, classes: int) -> Caller:
        """Make a member with one deposit of so many classes."""
        member = self._add_person(name, "user", f"Acceptance {name}", PLAIN_DEVICE, self.bench.target.environment.zone)
        self._add_deposits(member, [{"classes": classes, "active": True, "expires": "+30d"}])
        return member

    def add_others(self, count: int, classes: int) -> None:
        """Make further members, each with one deposit."""
        first = len(self.others) + 1
        self.others += [self.add_member(f"other-{n}", classes) for n in range(first, first + count)]

    def add_slot(self, name: str, when: str, capacity: int) -> None:
        """Make a class; ``name`` is "class" or "other class"."""
        slot_id = rows.row_id(self.bench.run, self.test_id, self.attempt, name)
        start = self._start(when)
        self.starts[name] = rows.insert_slot(self.bench.connection, self.bench.catalogue, slot_id, start, capacity)
        self.slots[name] = slot_id
        self.peak[slot_id] = capacity
        slot = Slot(slot_id, capacity, started=start <= self.now, begins=start.timestamp())
        self.state = replace(self.state, slots=(*self.state.slots, slot))
        self._note_slot(name, slot)

    def _start(self, when: str) -> datetime:
        zone = self.bench.target.environment.zone
        if CLOCK_CHANGE in when:
            needs.clocks_that_change(zone)
        return start_of(when, self.now, zone)

    def take_places(self, count: int) -> None:
        """Let other members hold places of the class, as rows made before the case begins."""
        slot_id = self.slots["class"]
        for number in range(count):
            name, full_name = f"guest-{number + 1}", f"Guest {number + 1}"
            member = self._add_person(name, "user", full_name, PLAIN_DEVICE, "UTC", acts=False)
            user_id, deposit_id, booking_id = member.user_id or "", self.new_id(), self.new_id()
            self._add_deposit_row(user_id, deposit_id, 1, 0, active=True, expires=None, position=0)
            status = self.bench.contract.status(Status.CONFIRMED)
            self.made.append(rows.booking(booking_id, user_id, slot_id, deposit_id, status))
            taken = Booking(booking_id, user_id, slot_id, deposit_id)
            self.state = replace(self.state, bookings=(*self.state.bookings, taken))

    def expire_deposits(self) -> None:
        """Let the time of all the member's deposits be over since a second ago."""
        self._need_column("pilates_deposits", "expires_at", "no deposit can expire now")
        self.insert()
        mine = self.people["member"].user_id
        over = self.bench.now() - timedelta(seconds=1)
        with self.bench.connection.cursor() as cursor:
            cursor.execute("update public.pilates_deposits set expires_at = %s where user_id = %s", (over, mine))
        expired = tuple(replace(d, expired=True) if d.member == mine else d for d in self.state.deposits)
        self.state = replace(self.state, deposits=expired)
        self.events.append({"expire": mine})

    def end_first_deposit(self, *, expire: bool) -> None:
        """Let the member's deposit that pays next expire a second ago, or be switched off by the studio."""
        self._need_column("pilates_deposits", "expires_at" if expire else "is_active", "no deposit can end")
        self.insert()
        mine = [d for d in self.state.deposits if d.member == self.people["member"].user_id and d.active]
        first = min((d for d in mine if not d.expired), key=lambda d: d.position, default=None)
        if first is None:
            raise SuiteError("the member has no deposit that could end; say first what the member has.")
        with self.bench.connection.cursor() as cursor:
            cursor.execute(
                "update public.pilates_deposits set is_active = %(expire)s,"
                " expires_at = case when %(expire)s then clock_timestamp() - interval '1 second' else expires_at end"
                " where id = %(id)s",
                {"expire": expire, "id": first.id},
            )
        ended = replace(first, expired=True) if expire else replace(first, active=False)
        self.state = self.state.with_deposit(ended)
        self.events.append({"end": first.id, "expire": expire})

    def change_slot(self, *, when: str = "", active: bool = True, capacity: int = 0) -> None:
        """Change the class the way a manager does: another start, switched off, or fewer places."""
        slot_id = self.slots["class"]
        slot = self.state.slot(slot_id) or Slot(slot_id, capacity)
        if when:
            start = self._start(when)
            self.starts["class"] = rows.move_slot(self.bench.connection, self.bench.catalogue, slot_id, start)
            slot = replace(slot, started=start <= self.now, begins=start.timestamp())
        if not active:
            self._need_column("pilates_schedule_slots", "is_active", "no class can be switched off")
            rows.update_slot(self.bench.connection, slot_id, is_active=False)
            slot = replace(slot, active=False)
        if capacity:
            rows.update_slot(self.bench.connection, slot_id, max_capacity=capacity)
            slot = replace(slot, capacity=capacity)
        self.state = self.state.with_slot(slot)
        self._note_slot("class", slot)

    def _note_slot(self, name: str, slot: Slot) -> None:
        """Keep what a class is like from now on, so that the case can be made to happen again."""
        starts_in = (self.starts[name] - self.now).total_seconds()
        record = {"id": slot.id, "starts_in": starts_in, "capacity": slot.capacity, "active": slot.active}
        self.events.append({"slot": record})

    def _relative(self, row: dict[str, Any]) -> dict[str, Any]:
        """Write times as seconds from now."""
        return {
            key: {"seconds": (value - self.now).total_seconds()} if isinstance(value, datetime) else value
            for key, value in row.items()
        }

    def _add_person(self, name: str, role: str, full_name: str, device: str, zone: str, *, acts: bool = True) -> Caller:
        """Make somebody; where the environment gives its users, whoever acts is the next of those.

        Raises:
            NotProven: when the environment gives fewer than the case needs.
        """
        if device not in devices():
            raise SuiteError(f"there is no device {device!r} in data/devices.yaml; known: {', '.join(devices())}.")
        given = self.bench.users_given
        if given is not None and acts:
            user_id = given.take(role, [one.user_id for one in self.people.values()]).user_id or ""
        else:
            user_id = self.new_id()
            self.made.append(rows.user(user_id, self.bench.contract.role(role), full_name))
        token = client.token(self.bench.target, user_id) if acts else None
        person = Caller(name, role, user_id, devices()[device], zone, token)
        self.people[name] = person
        self.names[user_id] = "the member" if name == "member" else name
        return person

    def _add_deposits(self, member: Caller, deposits: list[dict[str, Any]]) -> None:
        if len(deposits) > 1:
            needs.several_deposits(self.bench.catalogue)
        now = self.now
        ends = [_expiry(entry.get("expires"), now, self.bench.target.environment.zone) for entry in deposits]
        order = sorted(range(len(deposits)), key=lambda n: (ends[n] is None, ends[n] or now, n))
        for number, entry in enumerate(deposits):
            self._add_deposit_row(
                member.user_id or "",
                self.new_id(),
                entry["classes"],
                entry["classes"],
                active=entry.get("active", True),
                expires=ends[number],
                position=order.index(number),
            )

    def _add_deposit_row(
        self,
        user_id: str,
        deposit_id: str,
        credited: int,
        remaining: int,
        *,
        active: bool,
        expires: datetime | None,
        position: int,
    ) -> None:
        now = self.now
        begins = now - timedelta(days=60) + timedelta(seconds=position)
        if not active:
            self._need_column("pilates_deposits", "is_active", "no deposit can be switched off")
        if expires is not None and expires - now < timedelta(days=2):
            self._need_column("pilates_deposits", "expires_at", "no deposit can end at a moment")
        row = rows.deposit(deposit_id, user_id, credited, remaining, begins=begins, ends=expires, active=active)
        self.made.append(row)
        self.credited[deposit_id] = credited
        expired = expires is not None and expires <= now
        deposit = Deposit(deposit_id, user_id, remaining, active, expired, position)
        self.state = replace(self.state, deposits=(*self.state.deposits, deposit))

    def number(self) -> int:
        """Count on: every id, key and name of the case comes from one counter."""
        self._count += 1
        return self._count

    def new_id(self) -> str:
        """Return the id for the next row of the case."""
        return rows.row_id(self.bench.run, self.test_id, self.attempt, self.number())


def _expiry(words: str | None, now: datetime, zone: str) -> datetime | None:
    """Turn "+30d", "-1d", "+2h" or "today" into an instant; None stays None: it never expires.

    "Today" is in two hours, but before the studio's day ends; in the day's last minutes in two hours all the same.
    """
    if words is None:
        return None
    if words == "today":
        here = now.astimezone(ZoneInfo(zone))
        midnight = datetime.combine(here.date() + timedelta(days=1), time(), here.tzinfo)
        soon = now + timedelta(hours=2)
        return soon if midnight - now < LAST_MINUTES else min(soon, midnight - timedelta(seconds=1))
    unit = {"d": timedelta(days=1), "h": timedelta(hours=1)}.get(words[-1:])
    try:
        if unit is None:
            raise ValueError
        return now + int(words[:-1]) * unit
    except ValueError:
        known = "say for example '+30d', '-1d', '+2h' or 'today'"
        raise SuiteError(f"a deposit cannot expire {words!r}; {known}.") from None
