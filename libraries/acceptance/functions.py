"""Which function of another target is which operation, and what its arguments mean: seen by their names and types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance.environment import FILE, Environment
from acceptance.errors import SuiteError
from acceptance.model import Operation

# The shape of what a function returns: the columns of a TABLE, of OUT arguments and of a row type by name and type.
RETURNS = """case
  when p.proargmodes && '{o,b,t}'::"char"[] then
    case when 't' = any (p.proargmodes) then 'TABLE' when p.proretset then 'setof record' else 'record' end || '(' || (
      select string_agg(concat_ws(' ', p.proargnames[n], format_type(p.proallargtypes[n], null)), ', ' order by n)
      from generate_subscripts(p.proargmodes, 1) n where p.proargmodes[n] in ('o', 'b', 't')) || ')'
  when t.typtype = 'c' then pg_get_function_result(p.oid) || '(' || (
    select string_agg(attname || ' ' || format_type(atttypid, null), ', ' order by attnum)
    from pg_attribute where attrelid = t.typrelid and attnum > 0 and not attisdropped) || ')'
  else pg_get_function_result(p.oid) end"""
FUNCTIONS = """
select p.proname::text, coalesce(p.proargnames[1:p.pronargs], '{}')::text[],
       array(select format_type(t, null) from unnest(p.proargtypes) with ordinality u(t, n) order by n),
       p.pronargs - p.pronargdefaults,
       /* returns */,
       p.prosrc
from pg_proc p join pg_type t on t.oid = p.prorettype
where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and t.oid <> 'trigger'::regtype
order by p.proname, p.oid
""".replace("/* returns */", RETURNS)

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


def candidates(connection: Connection) -> list[Candidate]:
    """Read the functions of a target."""
    with connection.cursor() as cursor:
        cursor.execute(FUNCTIONS)
        return [Candidate(*row) for row in cursor.fetchall()]


@dataclass
class Functions:
    """What the operations are on a target: a function, several calls of the app, or nothing, with the reason."""

    known: dict[Operation, Function] = field(default_factory=dict)
    composites: dict[Operation, tuple[Operation, ...]] = field(default_factory=dict)
    lacking: dict[Operation, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


def find(environment: Environment, there: Sequence[Candidate]) -> Functions:
    """Find the operations among the functions of a target.

    Args:
        environment: what is said of the target.
        there: its functions.

    Raises:
        SuiteError: when the environment names what is not there.
    """
    functions = Functions()
    for operation, name in environment.functions.items():
        named = [one for one in there if one.name == name]
        if not named and operation in environment.functions_given:
            raise SuiteError(f"{FILE}: {environment.name}.functions.{operation}: the target has no function {name}.")
        if not named:
            named = _alike(operation, there)
        if len({one.name for one in named}) > 1:
            names = ", ".join(sorted({one.name for one in named}))
            functions.lacking[operation] = (
                f"the target has several functions that may be {operation}: {names}; name one"
            )
            continue
        if not named:
            functions.lacking[operation] = f"the target lacks {name}, and nothing else looks like {operation}"
            continue
        _take(functions, environment, operation, named)
    for operation, calls in environment.wording.composites.items():
        if operation not in functions.known and all(call in functions.known for call in calls):
            functions.composites[operation] = calls
            functions.told.append(f"{operation}: the app makes it of {' and '.join(calls)}")
    for operation, reason in functions.lacking.items():
        if operation not in functions.composites:
            functions.told.append(f"{operation}: not proven: {reason}")
    return functions


def _alike(operation: Operation, there: Sequence[Candidate]) -> list[Candidate]:
    like, unlike, needs = KNOWN_BY[operation]
    return [
        one
        for one in there
        if re.search(like, one.name)
        and not (unlike and re.search(unlike, one.name))
        and needs <= one.arguments().keys()
        and (operation is not Operation.BOOK or "booking" not in one.arguments())
    ]


def _take(functions: Functions, environment: Environment, operation: Operation, named: list[Candidate]) -> None:
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
            functions.known[operation] = function
            functions.told.append(f"{operation}: {function.described()}")
            return
        lacks.append(
            f"{one.name} has no argument {', '.join(unknown)}"
            if unknown
            else f"{one.name} asks for {', '.join(needed)}: say what that is in `arguments` or `extra_arguments`"
        )
    if said or extra:
        raise SuiteError(f"{FILE}: {environment.name}.arguments.{operation}: {'; '.join(lacks)}.")
    functions.lacking[operation] = "; ".join(lacks)
