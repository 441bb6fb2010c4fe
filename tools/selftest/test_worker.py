"""tools/run/worker.py: a worker parses the files of its own suites, and no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.run import worker
from tools.selftest.clone import ROOT

SUITE = """*** Test Cases ***
{name}
    Log    said
"""


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    """Two suites, of which the second cannot be parsed without a complaint."""
    folder = tmp_path / "suites"
    folder.mkdir()
    (folder / "good.robot").write_text(SUITE.format(name="Good"))
    (folder / "bad.robot").write_text("*** Test Cases ***\nBad\n    [Nonsense]    1\n    Log    x\n\n*** Odd ***\n")
    (tmp_path / "files.json").write_text(json.dumps({"All.Good": str(folder / "good.robot")}))
    return folder


def run(suites: Path, name: str) -> str:
    """Run the worker on the suite of this name, and return what it said."""
    place = suites.parent
    arguments = place / "python_argfile.txt"
    arguments.write_text(f"--name All\n--suite {name}\n--outputdir {place / 'out'}\n{suites}\n")
    done = subprocess.run(
        [sys.executable, "-m", "tools.run.worker", "-A", str(arguments)],
        cwd=ROOT,
        env={**os.environ, worker.FILES: str(place / "files.json"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_only_the_named_suites_files_are_parsed(suites: Path) -> None:
    said = run(suites, "All.Good")
    assert "1 test, 1 passed" in said
    assert "bad.robot" not in said


def test_without_a_known_file_everything_is_parsed(suites: Path) -> None:
    (suites.parent / "files.json").write_text("{}")
    said = run(suites, "All.Good")
    assert "1 test, 1 passed" in said
    assert "bad.robot" in said
