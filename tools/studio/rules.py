"""Puts the studio's rules into a database: the files of ``sql/`` in name order, then the overlays.

Statement by statement, so that an error has a line; a body in the form ``begin atomic`` must be quoted instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance.errors import SuiteError

SQL = Path(__file__).parent / "sql"
# For overlays: put one text of a function in the place of another that must stand there exactly once.
CHANGE = """
create function pg_temp.change(p_function regproc, p_old text, p_new text) returns void language plpgsql as $$
declare
  v_text  text := pg_get_functiondef(p_function);
  v_times integer := (length(v_text) - length(replace(v_text, p_old, ''))) / length(p_old);
begin
  if v_times <> 1 then
    raise exception 'in % this stands % times, not once: %', p_function, v_times, p_old;
  end if;
  execute replace(v_text, p_old, p_new);
end $$
"""
TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?\*/|"[^"]*"|\bE'(?:\\.|''|[^'\\])*'|'[^']*'|\$(\w*)\$.*?\$\1\$|;""", re.DOTALL | re.IGNORECASE
)


def apply_rules(connection: Connection, overlays: Iterable[Path]) -> None:
    """Apply all files within the connection's transaction.

    Raises:
        SuiteError: names the file and line of the statement that failed.
    """
    with connection.cursor() as cursor:
        cursor.execute(CHANGE)
    for path in [*sorted(SQL.glob("*.sql")), *overlays]:
        apply_file(connection, path)


def apply_file(connection: Connection, path: Path) -> None:
    """Run one SQL file.

    Raises:
        SuiteError: names the file, the line and what PostgreSQL says.
    """
    text = text_of(path)
    for start, statement in statements(text):
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        except psycopg2.Error as error:
            raise SuiteError(f"{path}:{failed(text, start, error)}") from None


def text_of(path: Path) -> str:
    """Read a file of SQL.

    Raises:
        SuiteError: when it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SuiteError(f"{path}: is not text in UTF-8.") from None


def failed(text: str, start: int, error: psycopg2.Error) -> str:
    """Say in which line of a file a statement failed, and why; what fails only when it runs has no place in it."""
    line = text.count("\n", 0, start + int(error.diag.statement_position or 1) - 1) + 1
    return f"{line}: {error.diag.message_primary or str(error).strip()}"


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Split SQL at the semicolons that are not in a comment, a text or a quoted body; each comes with its place."""
    start = 0
    for token in TOKEN.finditer(text):
        start += _blanks(text[start : token.start()])
        if token[0] == ";":
            yield start, text[start : token.end()]
            start = token.end()
        elif start == token.start() and token[0].startswith(("--", "/*")):
            start = token.end()
    start += _blanks(text[start:])
    if start < len(text):
        yield start, text[start:]


def _blanks(text: str) -> int:
    return len(text) - len(text.lstrip())
