"""How one target says what the contract says: its functions, their arguments and answers, its words and abilities.

Our own studio speaks as the contract does. Any other target is looked at: PostgreSQL's catalogue tells the functions
with their arguments and what they return, the words of a status, what is counted and kept. ``data/environments.yaml``
says what cannot be seen. What was found is kept in words, for whoever asks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import answers, paid
from acceptance.catalogue import Catalogue
from acceptance.client import Outcome, Reply
from acceptance.environment import FILE, Environment
from acceptance.errors import NotProven, SuiteError
from acceptance.functions import NUMBER, Candidate, Function, candidates, find
from acceptance.model import OF_THE_SCHEDULE, Operation, Refusal, Status
from acceptance.policies import Choice, Policy
from acceptance.rows import OCCUPANCY

POLICIES = "select tablename::text, coalesce(qual, '') from pg_policies where schemaname = 'public'"
# Of the functions' own sources, wherever they are: helpers may be in a schema of their own.
KEYS_KEPT = """
select exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
               where p.prosrc ~* 'idempoten' and n.nspname !~ '^(pg_|information_schema$|acceptance$|extensions$)')
"""
WITHOUT_RLS = """
select relname::text from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' and not relrowsecurity
"""

STATUS_WORDS: dict[Status, tuple[str, ...]] = {
    Status.CONFIRMED: ("confirmed", "booked", "active", "reserved", "scheduled"),
    Status.CANCELLED: ("cancelled", "canceled"),
    Status.COMPLETED: ("completed", "attended", "checked_in", "done", "present"),
    Status.NO_SHOW: ("no_show", "noshow", "missed", "absent", "no-show"),
}
ROLE_WORDS: dict[str, tuple[str, ...]] = {
    "user": ("user", "member", "client", "customer", "student"),
    "trainer": ("trainer", "instructor", "teacher", "coach"),
    "secretary": ("secretary", "receptionist", "reception", "front_desk", "staff", "manager"),
    "admin": ("admin", "administrator", "owner"),
}
COUNTERS = re.compile(
    r"(booked|booking|current|taken|reserved|occupied).*(count|spots|places|bookings)?$|^(count|booked)$"
)
ZONE = re.compile(r"at\s+time\s+zone\s+'([A-Za-z_]+/[A-Za-z_/]+|UTC)'", re.IGNORECASE)
IDEMPOTENCY = re.compile(r"idempoten", re.IGNORECASE)
AUDIT_COLUMNS = frozenset(
    {"id", "trace_id", "operation", "caller", "user_id", "booking_id", "deposit_id", "before", "after"}
)
OUTBOX_COLUMNS = frozenset({"id", "booking_id", "user_id", "event"})


@dataclass
class Contract:
    """What is known of a target. ``reference`` is our own studio, which speaks as the contract does.

    ``occupancy`` is where the schedule's count of bookings stands: the contract's view, a column of the class
    ("counter"), or nowhere. ``credited`` is the column of a deposit with the number of classes paid for; empty where it
    has none. ``found`` and ``lacking`` say in words what was seen.
    """

    reference: bool = True
    functions: dict[Operation, Function] = field(default_factory=dict)
    operations: frozenset[Operation] = OF_THE_SCHEDULE
    composites: Mapping[Operation, tuple[Operation, ...]] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    soft: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[Policy, Choice] = field(default_factory=dict)
    idempotent: bool = True
    audit: bool = True
    outbox: bool = True
    occupancy: str = "view"
    counter: str = ""
    credited: str = paid.OURS
    zone: str = ""
    staff_sees: frozenset[str] = frozenset({"pilates_bookings", "pilates_deposits"})
    found: list[str] = field(default_factory=list)
    lacking: dict[Operation, str] = field(default_factory=dict)

    # --- asking -------------------------------------------------------------------------------------------

    def path(self, operation: Operation) -> str:
        """Return where an operation is asked for."""
        return f"/rpc/{self.functions[operation].name}"

    def body(self, operation: Operation, words: Mapping[str, Any]) -> dict[str, Any]:
        """Put our words into the arguments of the target's function."""
        function = self.functions[operation]
        said = {theirs: words[ours] for ours, theirs in function.arguments.items() if words.get(ours) is not None}
        return {**function.extra, **said}

    def can_name(self, operation: Operation, word: str) -> bool:
        """Tell whether an operation's function has an argument for one of our words."""
        return word in self.functions[operation].arguments

    def need(self, operation: Operation) -> None:
        """Look whether the target has an operation.

        Raises:
            NotProven: when it has not; names what is missing.
        """
        if operation not in self.operations:
            raise NotProven(f"not proven: {self.lacking.get(operation) or f'the target lacks {operation}'}.")

    # --- answers ------------------------------------------------------------------------------------------

    def judge(self, reply: Reply, refusals: Mapping[Refusal, re.Pattern[str]]) -> None:
        """Take a refusal inside an answer with the status 200 for what it is."""
        if self.reference or reply.outcome is not Outcome.ACCEPTED:
            return
        message = answers.soft_error(reply.body, self.soft)
        if message is not None:
            reply.outcome, reply.message = Outcome.REFUSED, message
            reply.reason = next((reason for reason, wording in refusals.items() if wording.search(message)), None)

    def read(self, operation: Operation, body: Any) -> dict[str, Any] | None:
        """Read what an accepted answer says, in our words; None for our own studio, whose words are ours.

        A word that is missing was not said; where the environment maps it, it is said even if it is null.
        """
        if self.reference:
            return None
        function = self.functions.get(operation)
        return answers.read(operation, body, function.answers if function else {})

    # --- words --------------------------------------------------------------------------------------------

    def status(self, ours: str) -> str:
        """Say a booking's status in the target's words."""
        return self.statuses.get(ours, ours)

    def our_status(self, theirs: str) -> str:
        """Say a status of the target's in our words."""
        return next((str(ours) for ours, word in self.statuses.items() if word == theirs), theirs)

    def role(self, ours: str) -> str:
        """Say a role in the target's words.

        Raises:
            NotProven: when the target knows no such people.
        """
        if self.reference:
            return ours
        if ours not in self.roles:
            raise NotProven(f"not proven: the target's user_profiles know no {ours}; see `roles` of the environment.")
        return self.roles[ours]

    def staff_roles(self, ours: Sequence[str]) -> Sequence[str]:
        """Choose those of some roles that the target knows.

        Raises:
            NotProven: when it knows none of them.
        """
        there = ours if self.reference else [role for role in ours if role in self.roles]
        if not there:
            raise NotProven(f"not proven: the target's user_profiles know no {' or '.join(ours)}; see `roles`.")
        return there

    def in_our_words(self, table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Put rows that were read into our words."""
        if table == "pilates_bookings" and self.statuses:
            return [{**row, "status": self.our_status(row["status"])} if "status" in row else row for row in rows]
        return rows


# --- looking -----------------------------------------------------------------------------------------------


def look(connection: Connection, environment: Environment, catalogue: Catalogue) -> Contract:
    """Look how a target says what the contract says.

    Args:
        connection: a role that reads the catalogue.
        environment: what is known of the target.
        catalogue: its tables.

    Raises:
        SuiteError: when the environment names what is not there.
    """
    there = candidates(connection)
    with connection.cursor() as cursor:
        cursor.execute(POLICIES)
        policies = cursor.fetchall()
        cursor.execute(WITHOUT_RLS)
        open_tables = {name for (name,) in cursor.fetchall()}
        cursor.execute(KEYS_KEPT)
        [(keys_kept,)] = cursor.fetchall()
    if not environment.foreign:
        names = {one.name for one in there}
        functions = {o: Function(name, {}) for o, name in environment.functions.items()}
        operations = frozenset(o for o, name in environment.functions.items() if name in names)
        lacking = {o: f"the target lacks {name}" for o, name in environment.functions.items()}
        return Contract(functions=functions, operations=OF_THE_SCHEDULE | operations, lacking=lacking)
    contract = Contract(reference=False, soft=environment.wording.soft_errors)
    contract.policies = dict(environment.policies)
    seen = find(environment, there)
    contract.functions, contract.composites = seen.known, seen.composites
    contract.operations = OF_THE_SCHEDULE | frozenset(seen.known)
    contract.lacking, contract.found = seen.lacking, seen.told
    _find_words(contract, environment, catalogue)
    _find_abilities(contract, environment, catalogue, there, keys_kept=keys_kept)
    contract.credited, told = paid.find(environment, catalogue)
    contract.found.append(told)
    _find_sight(contract, policies, open_tables)
    return contract


def _find_words(contract: Contract, environment: Environment, catalogue: Catalogue) -> None:
    bookings, profiles = catalogue.tables["public.pilates_bookings"], catalogue.tables["public.user_profiles"]
    labels = bookings.labels("status")
    given = environment.wording.statuses
    for status, words in STATUS_WORDS.items():
        theirs = given.get(status) or next((word for word in words if word in labels), None)
        if labels and theirs is None:
            contract.found.append(f"status {status}: the target has no such state of a booking")
        elif theirs and theirs not in labels and labels:
            known = ", ".join(labels)
            raise SuiteError(f"{FILE}: {environment.name}.statuses.{status}: {theirs!r} is none of {known}.")
        elif theirs and theirs != status:
            contract.statuses = {**contract.statuses, status: theirs}
            contract.found.append(f"status {status}: {theirs}")
    if "role" not in profiles.columns:
        contract.roles = {"user": "user"}
        contract.found.append("staff: not proven: user_profiles has no column role")
        return
    labels = profiles.labels("role")
    roles = {
        role: next((w for w in words if w in labels), role if not labels else "") for role, words in ROLE_WORDS.items()
    }
    roles |= environment.wording.roles
    for one, other in (("admin", "secretary"), ("secretary", "admin")):
        roles[one] = roles[one] or roles[other]  # one kind of staff does the work of both
    contract.roles = {role: word for role, word in roles.items() if word}
    contract.found += [f"role {role}: {word}" for role, word in contract.roles.items() if role != word]
    contract.found += [f"role {role}: not proven: the target has no such people" for role in roles if not roles[role]]


def _find_abilities(
    contract: Contract, environment: Environment, catalogue: Catalogue, there: list[Candidate], *, keys_kept: bool
) -> None:
    wording = environment.wording
    contract.audit = catalogue.get("pilates_audit_log", set()) >= AUDIT_COLUMNS
    contract.outbox = catalogue.get("pilates_calendar_outbox", set()) >= OUTBOX_COLUMNS
    keeps = keys_kept and any(IDEMPOTENCY.search(table) for table in catalogue.tables)
    contract.idempotent = keeps if wording.idempotency is None else wording.idempotency
    slots = catalogue.tables["public.pilates_schedule_slots"].columns
    counters = [c.name for c in slots.values() if c.type in NUMBER and not c.generated and COUNTERS.match(c.name)]
    if wording.counter and wording.counter not in slots:
        raise SuiteError(f"{FILE}: {environment.name}.counter: pilates_schedule_slots has no column {wording.counter}.")
    if {"slot_id", "booked_count", "max_capacity"} <= catalogue.get(OCCUPANCY, set()):
        contract.occupancy = "view"
    else:
        contract.occupancy = ""
    if wording.counter or counters:
        contract.counter = wording.counter or counters[0]
        contract.occupancy = contract.occupancy or "counter"
        contract.found.append(f"occupancy: counted in pilates_schedule_slots.{contract.counter}")
    if not contract.occupancy:
        contract.found.append(f"occupancy: not proven: neither the view {OCCUPANCY} nor a counter of bookings")
    for ability, has in (("audit log", contract.audit), ("calendar", contract.outbox)):
        if not has:
            contract.found.append(f"{ability}: not proven: the target keeps none as the contract has it")
    if not contract.idempotent:
        contract.found.append("repeated requests: not proven to act once: the target keeps no idempotency keys")
    if not environment.zone_given:
        zones = Counter(zone for one in there for zone in ZONE.findall(one.source))
        # A studio stands somewhere: a region that is named tells more than UTC, which may be the defect.
        ranked = sorted(zones, key=lambda zone: (zone == "UTC", -zones[zone], zone))
        contract.zone = ranked[0] if zones else "UTC"
        how = "as its functions say" if zones else "as nothing says otherwise; see `zone` of the environment"
        if len(ranked) > 1:
            how += f"; some say {' and '.join(ranked[1:])}: name the right one as `zone` of the environment"
        contract.found.append(f"zone: {contract.zone}, {how}")
    for table in catalogue.of_members:
        contract.found.append(f"each member gets a row of {table}")


def _find_sight(contract: Contract, policies: list[tuple[str, str]], open_tables: set[str]) -> None:
    """Look which tables the policies show to staff: those with a condition on more than the caller's own id."""
    sees = set()
    for table in ("pilates_bookings", "pilates_deposits"):
        conditions = [qual for name, qual in policies if name == table]
        if table in open_tables or any(re.search(r"role|admin|staff|secretary|^true$", qual) for qual in conditions):
            sees.add(table)
        else:
            contract.found.append(f"staff: no policy shows them {table}; that they see it is not asked for")
    contract.staff_sees = frozenset(sees)
