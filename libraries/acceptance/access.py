"""Who may do what, as ``data/access.yaml`` says: the one table that the model and the scenarios of rights go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from acceptance.datafiles import DATA, check_schema, read_yaml
from acceptance.errors import SuiteError

FILE = DATA / "access.yaml"
ACTIONS = ("read", "insert", "update", "delete")
# What the model calls a role, where the table has another word for it.
COLUMN = {"user": "stranger", "": "unknown"}
# Callers whom their name tells, and not their role.
BY_NAME = frozenset({"visitor", "unknown", "pretender"})
# What each operation of the table is in the words of scenarios and findings.
ASKED = {
    "book": "book the class",
    "cancel": "cancel the booking",
    "reschedule": "move the booking",
    "admin_remove": "remove the booking",
    "confirm_attendance": "confirm attendance",
    "credit": "credit classes",
    "expire": "check for expired deposits",
}

# How a passed test begins to say what a target has chosen where a studio may choose.
OWN_CHOICE = "Its own choice: "


class May(StrEnum):
    """An answer of the table; with an asterisk it is our studio's own choice."""

    YES = "yes"
    NO = "no"
    YES_HERE = "yes*"
    NO_HERE = "no*"

    @property
    def ours(self) -> bool:
        """Whether the caller may in our studio."""
        return self in (May.YES, May.YES_HERE)

    @property
    def open(self) -> bool:
        """Whether another studio may choose otherwise."""
        return self in (May.YES_HERE, May.NO_HERE)


Line = Mapping[str, May]


@dataclass(frozen=True)
class Access:
    """The table: by operation, and by table and action, each caller's answer; ``changes`` is what is written."""

    callers: tuple[str, ...]
    operations: Mapping[str, Line]
    tables: Mapping[str, Mapping[str, Line]]
    changes: Mapping[str, Mapping[str, Any]]

    def answers(self, operation: str, caller: str, *, own: bool) -> list[May]:
        """List what the table says of a caller: of what they are and, about what is their own, of the member.

        Args:
            operation: its name, as in the table; any other is nobody's to forbid, and nothing is said of it.
            caller: the column.
            own: whether it is about the caller's own booking or deposit.
        """
        line = self.operations.get(operation)
        if line is None:
            return []
        return [line[caller], line["member"]] if own else [line[caller]]


@cache
def read() -> Access:
    """Read the table.

    Raises:
        SuiteError: when the file is malformed; names the line.
    """
    document = read_yaml(FILE)
    check_schema(document, DATA / "access.schema.json", FILE)
    callers = tuple(document["callers"])

    def line(answers: list[Any]) -> Line:
        return {caller: _may(answer) for caller, answer in zip(callers, answers, strict=True)}

    return Access(
        callers,
        {name: line(answers) for name, answers in document["operations"].items()},
        {
            name: {action: line(entry[action]) for action in ACTIONS if action in entry}
            for name, entry in document["tables"].items()
        },
        {name: entry["change"] for name, entry in document["tables"].items()},
    )


def for_target(said: Mapping[str, Any], where: str) -> Access:
    """Return the table with what an environment says otherwise.

    Args:
        said: ``access`` of its entry: ``operations`` or ``tables``, down to the caller.
        where: the file and the key, for errors.

    Raises:
        SuiteError: when it names a caller, an operation or a table that there is not.
    """
    table = read()
    operations = {name: dict(line) for name, line in table.operations.items()}
    tables = {name: {action: dict(line) for action, line in lines.items()} for name, lines in table.tables.items()}
    for name, line in said.get("operations", {}).items():
        _overwrite(operations, name, line, f"{where}.operations")
    for name, lines in said.get("tables", {}).items():
        if name not in tables:
            raise SuiteError(f"{where}.tables: there is no {name!r} in {FILE}; known: {', '.join(tables)}.")
        for action, line in lines.items():
            _overwrite(tables[name], action, line, f"{where}.tables.{name}")
    return Access(table.callers, operations, tables, table.changes)


def column_of(role: str, name: str = "") -> str:
    """Return the column of the table in which a caller stands, unless it is about what is their own.

    Args:
        role: user, trainer, secretary, admin or service; empty for who is nobody here.
        name: what the caller is called, where that tells more.
    """
    return name if name in BY_NAME else COLUMN.get(role, role)


def permits(operation: str, role: str, *, own: bool) -> bool:
    """Tell whether somebody may ask our studio for an operation.

    Args:
        operation: its name, as in the table.
        role: user, trainer, secretary, admin or service; empty for who is nobody here.
        own: whether it is about the caller's own booking or deposit.
    """
    return any(may.ours for may in read().answers(operation, column_of(role), own=own))


def _may(answer: Any) -> May:
    """Take YAML's yes and no, which are booleans, for the words that they are."""
    return May(answer) if isinstance(answer, str) else May.YES if answer else May.NO


def _overwrite(lines: dict[str, dict[str, May]], name: str, said: Mapping[str, Any], where: str) -> None:
    if name not in lines:
        raise SuiteError(f"{where}: there is no {name!r} in {FILE}; known: {', '.join(lines)}.")
    unknown = [caller for caller in said if caller not in lines[name]]
    if unknown:
        raise SuiteError(f"{where}.{name}: nobody is called {unknown[0]!r}; known: {', '.join(lines[name])}.")
    lines[name].update({caller: _may(answer) for caller, answer in said.items()})
