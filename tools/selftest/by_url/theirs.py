"""Their system: an entry in a clone's environments, and what the commands say of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from robot.api import ExecutionResult

from acceptance import embedded
from tools.selftest.clone import SECONDS, pilates
from tools.selftest.front import Front

NAME = "theirs"
API_KEY = "an-api-key-as-anon-keys-are"
SUITE, RIGHTS = "priority/known_bug.robot", "rules/rights.robot"
PASSED = 4  # of its cases; the others need a calendar, or a proxy in front


def write_entry(clone: Path, **entry: object) -> None:
    """Put the entry of our tests into the clone's environments, in the place of an earlier one."""
    path = clone / "data" / "environments.yaml"
    text = path.read_text().partition("\n  # of a test\n")[0].rstrip("\n")
    told = yaml.safe_dump({NAME: {"description": "Theirs.", "zone": "Europe/Athens", **entry}}, sort_keys=False)
    path.write_text(text + "\n  # of a test\n" + "".join(f"  {line}\n" for line in told.splitlines()))


def run(clone: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return pilates(clone, "run", "--env", NAME, "--priority", "--processes", "2", **variables)


def counts(clone: Path) -> dict[str, int]:
    counted: dict[str, int] = json.loads((clone / "results" / "latest" / "run.json").read_bytes())["counts"]
    return counted


def locations(studio: embedded.Studio, front: Front | None = None) -> dict[str, object]:
    api_url = front.url if front else studio.api_url
    told = {"api_url": api_url, "database_url": studio.database_url, "jwt_secret": studio.jwt_secret}
    return {**told, "instruments": True}


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Look that a command could not run and says why in one line, and return it."""
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("pilates: ")
    return line


def robot(clone: Path, output: Path, **variables: str) -> list[str]:
    """Run the suite with robot alone, and return what it says of each case."""
    command = [
        sys.executable,
        "-m",
        "robot",
        "--variable",
        f"ENV:{NAME}",
        "--outputdir",
        str(output),
        f"suites/{SUITE}",
    ]
    paths = os.pathsep.join([str(clone), str(clone / "libraries")])
    done = subprocess.run(
        command,
        cwd=clone,
        env={**os.environ, "PYTHONPATH": paths, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode, "nothing can be green there"
    return [test.message for test in ExecutionResult(output / "output.xml").suite.all_tests]
