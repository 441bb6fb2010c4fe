"""Checks a whole database, read-only: ``verify-db`` and ``reconcile``.

The checks are the files in ``data/verify``. They run in one read-only transaction, so they see one instant, and a
target that a person works on meanwhile is neither locked nor changed.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case
from psycopg2.extras import RealDictCursor

from acceptance.datafiles import DATA
from acceptance.environment import Environment
from acceptance.errors import SuiteError
from tools import verify_words
from tools.verify_words import Words

FOLDER = DATA / "verify"
PAGE_ROWS = 5_000
HEADER = re.compile(r"^-- (id|title|needs|severity): (.+)$", re.MULTILINE)


@dataclass
class Check:
    """One file of ``data/verify``: its header and its query."""

    id: str
    title: str
    severity: str
    needs: list[str]
    sql: str


@dataclass
class Outcome:
    """What a check found. ``missing`` names what the target lacks: then it is not proven.

    ``trouble`` is what PostgreSQL said where the check could not be run; then nobody knows.
    """

    check: Check
    findings: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    trouble: str = ""

    @property
    def status(self) -> str:
        """Say "ok", "not proven", "could not run" or how many findings there are."""
        if self.trouble:
            return "could not run"
        if self.missing:
            return "not proven"
        return f"{len(self.findings)} found" if self.findings else "ok"


def load_checks() -> list[Check]:
    """Read the checks in the order of their files' names.

    Raises:
        SuiteError: when a file lacks a line of its header, or has a word in braces that there is not.
    """
    checks = []
    for path in sorted(FOLDER.glob("*.sql")):
        text = path.read_text()
        header = dict(HEADER.findall(text))
        if missing := {"id", "title", "needs", "severity"} - header.keys():
            raise SuiteError(f"{path}: the header lacks: {', '.join(sorted(missing))}.")
        verify_words.check(path, text)
        needs = [part.strip() for part in header["needs"].split(",")]
        checks.append(Check(header["id"], header["title"], header["severity"], needs, text))
    return checks


def run_checks(
    connection: Connection, checks: list[Check], environment: Environment | None = None, words: Words | None = None
) -> Iterator[Outcome]:
    """Run checks one after another in one read-only transaction; each outcome comes as it is known.

    Args:
        connection: any role that sees every row; it is set to read-only for good.
        checks: what to run.
        environment: of the target, which may have words of its own; None: those of our studio.
        words: is filled with what was learnt of the target's words.

    Raises:
        SuiteError: when the target lacks a table of the contract.
    """
    connection.rollback()
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
    there = _columns(connection)
    words = words if words is not None else Words()
    vars(words).update(vars(verify_words.words_of(connection, environment, there)))
    for check in checks:
        missing = [name for name in check.needs if name not in there] + words.missing(check.sql)
        yield Outcome(check, [], missing) if missing else _outcome(connection, check, words.fill(check.sql))
    connection.rollback()


def _outcome(connection: Connection, check: Check, sql: str) -> Outcome:
    """Run one check; what PostgreSQL cannot do with it is said, and the next one runs all the same."""
    with connection.cursor() as cursor:
        cursor.execute("savepoint of_a_check")
        try:
            return Outcome(check, list(_pages(connection, sql)))
        except psycopg2.OperationalError:
            raise  # the connection is gone
        except psycopg2.Error as error:
            cursor.execute("rollback to savepoint of_a_check")
            return Outcome(check, trouble=str(error).strip().partition("\n")[0])


def _columns(connection: Connection) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name || '.' || column_name from information_schema.columns where table_schema = 'public'"
        )
        return {name for (name,) in cursor.fetchall()}


def _pages(connection: Connection, sql: str) -> Iterator[dict[str, Any]]:
    """List what a check finds, page by page in the order of its key."""
    query = f"select * from ({sql}) found where key > %s order by key limit {PAGE_ROWS}"
    last = ""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        while True:
            cursor.execute(query.replace("%", "%%").replace("%%s", "%s"), (last,))
            page = [dict(row) for row in cursor.fetchall()]
            yield from page
            if len(page) < PAGE_ROWS:
                return
            last = page[-1]["key"]


def compensation(outcome: Outcome, order: Sequence[str] = ("is_active desc", "credited_at desc")) -> str:
    """Propose the SQL that would give lost classes back and take gained ones; it is for reading, never run here.

    Args:
        outcome: of the check per member (``I2-members``).
        order: which of a member's deposits comes first.

    Returns:
        A script that changes the newest active deposit of each member, ending in ROLLBACK until a person decides.
    """
    lines = [
        "-- A proposal. Read each line, ask each member, then replace rollback by commit.",
        "begin;",
    ]
    for row in outcome.findings:
        change = -row["difference"]
        lines += [
            f"-- {row['finding']}: paid {row['paid']}, left {row['remaining']}, booked or attended {row['booked']}",
            f"update public.pilates_deposits set deposit_remaining = deposit_remaining {change:+d}",
            "where id = (select id from public.pilates_deposits",
            f"            where user_id = '{row['user_id']}' and deposit_remaining {change:+d} >= 0",
            f"            order by {', '.join([*order, 'id'])} limit 1);",
        ]
    return "\n".join([*lines, "rollback;", ""])


def write_files(outcomes: list[Outcome], folder: Path) -> list[Path]:
    """Write the findings as one JSON file and one CSV file per check, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "verify-db.json"
    records = [
        {
            "id": outcome.check.id,
            "title": outcome.check.title,
            "severity": outcome.check.severity,
            "status": outcome.status,
            "missing": outcome.missing,
            "trouble": outcome.trouble,
            "findings": outcome.findings,
        }
        for outcome in outcomes
    ]
    report.write_text(json.dumps(records, indent=2, default=str) + "\n")
    paths = [report]
    for outcome in outcomes:
        if outcome.findings:
            path = folder / f"{outcome.check.id}.csv"
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, fieldnames=list(outcome.findings[0]))
                writer.writeheader()
                writer.writerows(outcome.findings)
            paths.append(path)
    return paths
