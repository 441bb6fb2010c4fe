"""The foreign schemas of the self-tests, and what is run on them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case
from robot.api import ExecutionResult

from acceptance.datafiles import ROOT
from tools.selftest.clone import SECONDS

FOREIGN = Path(__file__).parent / "foreign"


def files(schema: str) -> list[Path]:
    return sorted((FOREIGN / schema).glob("*.sql"))


def outcomes_of(run: Path) -> dict[str, tuple[str, str]]:
    found = ExecutionResult(run / "output.xml").suite.all_tests
    return {test.name.partition(" ")[0]: (test.status, test.message) for test in found}


def left_in(connection: Connection, table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table}")
        [(number,)] = cursor.fetchall()
    count: int = number
    return count


def robot(
    folder: Path, suite: Path | str, *options: str, at: Path = ROOT, variables: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """Run a suite with plain Robot Framework, and say what came of each test."""
    command = [sys.executable, "-m", "robot", "--outputdir", str(folder), "--log", "NONE", "--report", "NONE", *options]
    command += [word for pair in variables.items() for word in ("--variable", ":".join(pair))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(at), str(at / "libraries")])}
    done = subprocess.run(
        [*command, str(suite)], cwd=at, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (folder / "output.xml").is_file(), done.stdout + done.stderr
    return outcomes_of(folder)


def of_schema(schema: str, overlay: str = "") -> dict[str, str]:
    """Name a foreign schema, and what is changed in it, in the variables of a run."""
    given = {"ENV": "sql", "SQL": ",".join(map(str, files(schema)))}
    return {**given, "OVERLAY": str(FOREIGN / schema / f"{overlay}.sql")} if overlay else given


def scenario(folder: Path, name: str, *lines: str) -> Path:
    """Write a suite of one scenario about a member with five classes left."""
    path = folder / "scenario.robot"
    settings = [f"Resource    {ROOT}/resources/studio.resource", "Test Setup    The case begins"]
    settings += ["Test Teardown    The case ends"]
    begin = ["Given a member with 5 classes left", "And a class tomorrow at 10:00 with 4 places"]
    body = [f"    {line}" for line in (*begin, *lines, "And no class is lost or given away")]
    path.write_text("\n".join(["*** Settings ***", *settings, "*** Test Cases ***", f"T-OWN-001 {name}", *body, ""]))
    return path
