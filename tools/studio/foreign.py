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
# What stands in for an extension once somebody's SQL makes it: a file of its name, headed by how it does.
EXTENSIONS = Path(__file__).with_name("extensions")
HOW = re.compile(r"-- How: (.+)")
# Extensions whose functions stand in supabase.sql already, and how well.
STOCK = {
    "uuid-ossp": "uuid_generate_v4 and uuid_nil only.",
    "pgcrypto": "digests are right; crypt and gen_salt make no hashes that protect anything, only such that compare.",
}
# Those without which a booking system runs the same.
NOT_NEEDED = frozenset(
    {"pg_graphql", "pg_stat_statements", "supabase_vault", "pgjwt", "pgsodium", "pgaudit", "hypopg", "index_advisor"}
)
OF_EXTENSION = re.compile(
    r'\s*(create|alter|drop|comment\s+on)\s+extension\s+(?:if\s+(?:not\s+)?exists\s+)?"?([\w-]+)"?', re.IGNORECASE
)
OF_SCHEMA = re.compile(r'\bschema\s+"?([\w$]+)"?', re.IGNORECASE)
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
        if _is_stood_in(connection, statement, available, place):
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


def _is_stood_in(connection: Connection, statement: str, available: frozenset[str], place: str) -> bool:
    """Tell whether a statement is about an extension that need not, or cannot, be there, and put its stand-in there.

    Raises:
        SuiteError: when the embedded PostgreSQL can do without it no way.
    """
    found = OF_EXTENSION.match(statement)
    if found is None or found[2] in available:
        return False
    name = found[2]
    if found[1].lower() != "create":
        return True
    stand_in = EXTENSIONS / f"{name}.sql"
    if name in STOCK:
        _note(connection, name, STOCK[name])
    elif name in NOT_NEEDED:
        _note(connection, name, "left out; a booking system does the same without it.")
    elif stand_in.is_file():
        schema = OF_SCHEMA.search(statement)
        _stand_in(connection, stand_in, schema[1] if schema else "public", place)
    else:
        there = sorted({*STOCK, *NOT_NEEDED, *available, *(path.stem for path in EXTENSIONS.glob("*.sql"))})
        raise SuiteError(
            f"{place}: the embedded PostgreSQL has no extension {name} and no stand-in for it: take this statement, and"
            f" what uses {name}, out of a copy of the file and give the copy to --sql. There are: {', '.join(there)}."
            f" The statement: {_short(statement)}"
        )
    return True


def _stand_in(connection: Connection, path: Path, schema: str, place: str) -> None:
    """Make what stands in for an extension, once; as with the extension itself, in the schema that is asked for."""
    text = path.read_text(encoding="utf-8")
    how = HOW.match(text)
    if not _note(connection, path.stem, how[1] if how else "stood in for."):
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(text.replace("{schema}", f'"{schema}"'))
    except psycopg2.Error as error:
        words = error.diag.message_primary or str(error).strip()
        raise SuiteError(f"{place}: the stand-in for the extension {path.stem} cannot be made: {words}.") from None


def _note(connection: Connection, name: str, how: str) -> bool:
    """Write down for `doctor` what is stood in for, and how; returns whether that is news."""
    with connection.cursor() as cursor:
        cursor.execute("insert into extensions.stood_in_for values (%s, %s) on conflict do nothing", (name, how))
        return cursor.rowcount == 1


def _short(statement: str) -> str:
    line = " ".join(statement.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]} ..."
