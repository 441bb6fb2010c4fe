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

from acceptance import paid
from acceptance.catalogue import Catalogue
from acceptance.client import Outcome, Reply
from acceptance.environment import FILE, Environment
from acceptance.errors import NotProven, SuiteError
from acceptance.model import OF_THE_SCHEDULE, Choice, Operation, Policy, Refusal, Status
from acceptance.rows import OCCUPANCY

FUNCTIONS = """
select p.proname::text, coalesce(p.proargnames[1:p.pronargs], '{}')::text[],
       array(select format_type(t, null) from unnest(p.proargtypes) with ordinality u(t, n) order by n),
       p.pronargs - p.pronargdefaults,
       case when t.typtype = 'c' or p.proargmodes is not null and t.oid = 'record'::regtype then 'record'
            else format_type(t.oid, null) end,
       p.prosrc
from pg_proc p join pg_type t on t.oid = p.prorettype
where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and t.oid <> 'trigger'::regtype
order by p.proname, p.oid
"""
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

# Our words for arguments: what their names look like, and of what type they are.
UUID, NUMBER, TEXT = ("uuid",), ("integer", "smallint", "bigint", "numeric"), ("text", "character varying")
ARGUMENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "booking": (r"booking|reservation", UUID),
    "member": (r"user|member|client|customer|profile|student", UUID),
    "class": (r"slot|class|session|schedule|lesson", UUID),
    "reason": (r"reason|note|comment|remark", TEXT),
    "classes": (r"class|credit|amount|count|quantity|number|session|lesson", NUMBER),
}
# What an operation cannot do without, the names by which it is known, and those by which it is something else.
KNOWN_BY: dict[Operation, tuple[str, str, frozenset[str]]] = {
    Operation.BOOK: (r"book|reserve|enrol", r"cancel|resched|move|admin|confirm|attend|remove", frozenset({"class"})),
    Operation.CANCEL: (r"cancel|unbook", r"admin|staff|slot$|class$|all", frozenset({"booking"})),
    Operation.RESCHEDULE: (r"resched|move|change_booking|swap", r"admin", frozenset({"booking", "class"})),
    Operation.ADMIN_REMOVE: (
        r"(admin|staff|desk).*(remove|cancel|delete)|remove",
        r"user|member",
        frozenset({"booking"}),
    ),
    Operation.CONFIRM: (r"attend|check_?in|mark_present", r"", frozenset({"booking"})),
    Operation.CREDIT: (
        r"credit|top_?up|add_(deposit|classes)|grant_classes",
        r"refund",
        frozenset({"member", "classes"}),
    ),
    Operation.EXPIRE: (r"expire", r"", frozenset()),
}
# Where an answer without a mapping may say something, in this order; also one level down.
SAYS: dict[str, tuple[str, ...]] = {
    "booking": ("booking_id", "bookingId", "new_booking_id", "reservation_id", "id"),
    "left": ("deposit_remaining", "remaining", "classes_left", "classes_remaining", "credits_left", "credits_remaining",
             "remaining_classes", "balance", "new_balance"),
    "given_back": ("given_back", "classes_given_back", "classes_returned", "refunded", "classes_refunded", "returned"),
    "deposit": ("deposit_id", "depositId", "id"),
}  # fmt: skip
INSIDE = ("data", "result", "booking", "deposit", "reservation")
OUR_WORDS = {"booking": "booking_id", "left": "deposit_remaining", "given_back": "given_back", "deposit": "deposit_id"}
SAID_OF = {
    Operation.BOOK: ("booking", "left"),
    Operation.RESCHEDULE: ("booking", "left"),
    Operation.CANCEL: ("given_back",),
    Operation.ADMIN_REMOVE: ("given_back",),
    Operation.CREDIT: ("deposit",),
}
FLAGS, MESSAGES = ("success", "ok", "succeeded"), ("error", "message", "error_message", "reason", "detail", "code")
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
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Function:
    """What an operation is on the target: its function, our words to its arguments, and what it returns."""

    name: str
    arguments: Mapping[str, str]
    extra: Mapping[str, Any] = field(default_factory=dict)
    returns: str = "record"
    answers: Mapping[str, str] = field(default_factory=dict)

    def described(self) -> str:
        """Say it in words."""
        told = ", ".join(f"{theirs} = the {ours}" for ours, theirs in self.arguments.items())
        return f"{self.name}({told}) returns {self.returns}"


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
        message = self._soft_error(reply.body)
        if message is not None:
            reply.outcome, reply.message = Outcome.REFUSED, message
            reply.reason = next((reason for reason, wording in refusals.items() if wording.search(message)), None)

    def _soft_error(self, body: Any) -> str | None:
        body = _single(body)
        if body is False:
            return "the answer is false"
        if not isinstance(body, dict):
            return None
        flags = (self.soft["flag"],) if "flag" in self.soft else FLAGS
        messages = (self.soft["message"],) if "message" in self.soft else MESSAGES
        words = next((str(body[key]) for key in messages if body.get(key)), "")
        if any(body.get(flag) is False for flag in flags) or str(body.get("status", "")).lower() in ("error", "failed"):
            return words or "the answer says that it failed, and not why"
        said_yes = any(body.get(flag) is True for flag in flags)
        return str(body["error"]) if not said_yes and body.get("error") else None

    def read(self, operation: Operation, body: Any) -> dict[str, Any] | None:
        """Read what an accepted answer says, in our words; None for our own studio, whose words are ours.

        A word that is missing was not said; where the environment maps it, it is said even if it is null.
        """
        if self.reference:
            return None
        function = self.functions.get(operation)
        said: dict[str, Any] = {}
        for word in SAID_OF.get(operation, ()):
            mapped = function.answers.get(word) if function else None
            if mapped is not None:
                said[OUR_WORDS[word]] = _at(_single(body), mapped)
                continue
            value = _guess(operation, word, _single(body))
            if value is not None:
                said[OUR_WORDS[word]] = value
        return said

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


def _single(body: Any) -> Any:
    """Return the one row of a set."""
    return body[0] if isinstance(body, list) and len(body) == 1 else body


def _at(body: Any, path: str) -> Any:
    for key in path.split("."):
        if key:
            body = body.get(key) if isinstance(body, dict) else None
    return body


def _guess(operation: Operation, word: str, body: Any) -> Any:
    """Find a value in an answer by what it looks like."""
    if isinstance(body, dict):
        for inside in (body, *(body[key] for key in INSIDE if isinstance(body.get(key), dict))):
            for key in SAYS[word]:
                if key in inside and _fits(word, inside[key]):
                    return inside[key]
        return None
    bare = (word == "booking" or word == "given_back" or word == "deposit") and not isinstance(body, bool)
    return body if bare and _fits(word, body) else None


def _fits(word: str, value: Any) -> bool:
    if word in ("booking", "deposit"):
        return isinstance(value, str) and UUID_TEXT.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool)


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
    with connection.cursor() as cursor:
        cursor.execute(FUNCTIONS)
        there = [Candidate(*row) for row in cursor.fetchall()]
        cursor.execute(POLICIES)
        policies = cursor.fetchall()
        cursor.execute(WITHOUT_RLS)
        open_tables = {name for (name,) in cursor.fetchall()}
        cursor.execute(KEYS_KEPT)
        keys_kept = bool(cursor.fetchone()[0])
    if not environment.foreign:
        names = {one.name for one in there}
        functions = {o: Function(name, {}) for o, name in environment.functions.items()}
        operations = frozenset(o for o, name in environment.functions.items() if name in names)
        lacking = {o: f"the target lacks {name}" for o, name in environment.functions.items()}
        return Contract(functions=functions, operations=OF_THE_SCHEDULE | operations, lacking=lacking)
    contract = Contract(reference=False, soft=environment.wording.soft_errors)
    contract.policies = {p: choice for p, choice in environment.policies.items() if choice is not Choice.OURS}
    _find_functions(contract, environment, there)
    _find_words(contract, environment, catalogue)
    _find_abilities(contract, environment, catalogue, there, keys_kept=keys_kept)
    contract.credited, told = paid.find(environment, catalogue)
    contract.found.append(told)
    _find_sight(contract, policies, open_tables)
    return contract


@dataclass(frozen=True)
class Candidate:
    """A function of the target."""

    name: str
    names: list[str]
    types: list[str]
    required: int
    returns: str
    source: str

    def arguments(self) -> dict[str, str]:
        """Find our words for its arguments; each argument has one."""
        found: dict[str, str] = {}
        for name, kind in zip(self.names, self.types, strict=False):
            bare = re.sub(r"^_?(p|in|v|arg)_", "", name.lower())
            for word, (pattern, types) in ARGUMENTS.items():
                if word not in found and kind in types and re.search(pattern, bare):
                    found[word] = name
                    break
        return found


def _find_functions(contract: Contract, environment: Environment, there: list[Candidate]) -> None:
    for operation, name in environment.functions.items():
        named = [one for one in there if one.name == name]
        if not named and operation in environment.functions_given:
            raise SuiteError(f"{FILE}: {environment.name}.functions.{operation}: the target has no function {name}.")
        if not named:
            named = _alike(operation, there)
        if len({one.name for one in named}) > 1:
            names = ", ".join(sorted({one.name for one in named}))
            contract.lacking[operation] = f"the target has several functions that may be {operation}: {names}; name one"
            continue
        if not named:
            contract.lacking[operation] = f"the target lacks {name}, and nothing else looks like {operation}"
            continue
        _take(contract, environment, operation, named)
    contract.operations = OF_THE_SCHEDULE | frozenset(contract.functions)
    for operation, calls in environment.wording.composites.items():
        if operation not in contract.functions and all(call in contract.functions for call in calls):
            contract.composites = {**contract.composites, operation: calls}
            contract.found.append(f"{operation}: the app makes it of {' and '.join(calls)}")
    for operation in contract.lacking:
        if operation not in contract.composites:
            contract.found.append(f"{operation}: not proven: {contract.lacking[operation]}")


def _alike(operation: Operation, there: list[Candidate]) -> list[Candidate]:
    like, unlike, needs = KNOWN_BY[operation]
    return [
        one
        for one in there
        if re.search(like, one.name)
        and not (unlike and re.search(unlike, one.name))
        and needs <= one.arguments().keys()
        and (operation is not Operation.BOOK or "booking" not in one.arguments())
    ]


def _take(contract: Contract, environment: Environment, operation: Operation, named: list[Candidate]) -> None:
    """Take the one of a function's forms that asks for the least, with its arguments."""
    wording = environment.wording
    said, extra = wording.arguments.get(operation, {}), wording.extra_arguments.get(operation, {})
    lacks = []
    for one in sorted(named, key=lambda one: one.required):
        unknown = [name for name in (*said.values(), *extra) if name not in one.names]
        arguments = {word: name for word, name in one.arguments().items() if name not in said.values()} | dict(said)
        arguments = {word: name for word, name in arguments.items() if name not in extra}
        needed = [name for name in one.names[: one.required] if name not in {*arguments.values(), *extra}]
        if not unknown and not needed:
            answers = wording.answers.get(operation, {})
            function = Function(one.name, arguments, extra, one.returns, answers)
            contract.functions[operation] = function
            contract.found.append(f"{operation}: {function.described()}")
            return
        lacks.append(
            f"{one.name} has no argument {', '.join(unknown)}"
            if unknown
            else f"{one.name} asks for {', '.join(needed)}: say what that is in `arguments` or `extra_arguments`"
        )
    if said or extra:
        raise SuiteError(f"{FILE}: {environment.name}.arguments.{operation}: {'; '.join(lacks)}.")
    contract.lacking[operation] = "; ".join(lacks)


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
        contract.zone = zones.most_common(1)[0][0] if zones else "UTC"
        how = "as its functions say" if zones else "as nothing says otherwise; see `zone` of the environment"
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
