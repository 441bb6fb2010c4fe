"""Puts somebody else's SQL into a database, upon stand-ins for what a Supabase project has from the start.

Each file is applied as psql would apply it: statement by statement, in a session of its own. An error names file, line
and statement. A dump of ``pg_dump`` or ``supabase db dump`` works too, also with data (COPY ... FROM stdin).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance.errors import SuiteError
from tools.studio.rules import failed, statements, text_of

STAND_INS = Path(__file__).with_name("supabase.sql")
# Extensions whose functions stand in supabase.sql, and those without which a booking system runs the same.
STOOD_IN = frozenset({"uuid-ossp", "pgcrypto", "moddatetime"})
NOT_NEEDED = frozenset(
    {"pg_graphql", "pg_stat_statements", "supabase_vault", "pgjwt", "pgsodium", "pgaudit", "hypopg", "index_advisor"}
)
OF_EXTENSION = re.compile(
    r'\s*(create|alter|drop|comment\s+on)\s+extension\s+(?:if\s+(?:not\s+)?exists\s+)?"?([\w-]+)"?', re.IGNORECASE
)
COPY = re.compile(r"^(COPY\s[^;]*\sFROM\s+stdin[^;]*;)[^\n]*\n(.*?)^\\\.[ \t]*$", re.DOTALL | re.MULTILINE | re.I)
OF_PSQL = re.compile(r"^\\(\w+)[^\n]*$", re.MULTILINE)
HARMLESS_OF_PSQL = frozenset({"restrict", "unrestrict", "echo", "set", "encoding", "timing"})
ATOMIC = re.compile(r"\bbegin\s+atomic\b", re.IGNORECASE)
END = re.compile(r"\bend\s*;?\s*$", re.IGNORECASE)
SHOWN = 80


def apply(connect: Callable[[], Connection], files: Iterable[Path]) -> None:
    """Apply the stand-ins and then the files, in their order.

    Args:
        connect: opens a session as the database's superuser; each file gets its own.
        files: the SQL of somebody else's system.

    Raises:
        SuiteError: names file, line and statement, with PostgreSQL's words.
    """
    for path in (STAND_INS, *files):
        with closing(connect()) as connection:
            connection.autocommit = True  # as psql does: a file may begin and commit for itself
            _apply_file(connection, path)


def _apply_file(connection: Connection, path: Path) -> None:
    text = text_of(path)
    with connection.cursor() as cursor:
        cursor.execute("select name from pg_available_extensions")
        available = frozenset(name for (name,) in cursor.fetchall())
    for start, statement, data in _parts(path, text):
        place = f"{path}:{text.count(chr(10), 0, start) + 1}"
        if _is_stood_in(statement, available, place):
            continue
        try:
            with connection.cursor() as cursor:
                if data is None:
                    cursor.execute(statement)
                else:
                    cursor.copy_expert(statement, io.StringIO(data))
        except psycopg2.Error as error:
            detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
            what = f"{failed(text, start, error)}{detail}; the statement: {_short(statement)}"
            raise SuiteError(f"{path}:{what}") from None
    if connection.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
        raise SuiteError(f"{path}: begins a transaction and does not commit it.")


def _parts(path: Path, text: str) -> Iterator[tuple[int, str, str | None]]:
    """Split a file into statements, each with its place and, for a COPY, its data."""
    done = 0
    for copy in COPY.finditer(text):
        yield from _statements(path, text, done, copy.start())
        yield copy.start(), copy[1].rstrip(";"), copy[2]
        done = copy.end()
    yield from _statements(path, text, done, len(text))


def _statements(path: Path, text: str, begin: int, end: int) -> Iterator[tuple[int, str, str | None]]:
    part = OF_PSQL.sub(lambda found: _psql(path, text, begin, found), text[begin:end])
    whole, place = "", 0
    for start, statement in statements(part):
        place = place if whole else start
        whole = part[place : start + len(statement)]
        if ATOMIC.search(whole) and not END.search(whole):
            continue  # a body in the form of the standard holds semicolons of its own
        yield begin + place, whole, None
        whole = ""
    if whole:
        yield begin + place, whole, None


def _psql(path: Path, text: str, begin: int, found: re.Match[str]) -> str:
    """Blank out a command of psql's own that changes nothing, and refuse any other."""
    if found[1] not in HARMLESS_OF_PSQL:
        line = text.count("\n", 0, begin + found.start()) + 1
        raise SuiteError(f"{path}:{line}: \\{found[1]} is a command of psql, not SQL; give plain SQL files.")
    return " " * len(found[0])


def _is_stood_in(statement: str, available: frozenset[str], place: str) -> bool:
    """Tell whether a statement is about an extension that need not, or cannot, be there.

    Raises:
        SuiteError: when the embedded PostgreSQL can do without it no way.
    """
    found = OF_EXTENSION.match(statement)
    if found is None or found[2] in available:
        return False
    if found[2] in STOOD_IN | NOT_NEEDED or found[1].lower() != "create":
        return True
    raise SuiteError(
        f"{place}: the embedded PostgreSQL has no extension {found[2]} and no stand-in for it;"
        f" known: {', '.join(sorted(STOOD_IN | NOT_NEEDED | available))}. The statement: {_short(statement)}"
    )


def _short(statement: str) -> str:
    line = " ".join(statement.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]} ..."
