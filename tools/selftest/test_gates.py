"""Every file is in style, type hints hold, and Robot Framework accepts every suite, the generated ones too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.datafiles import ROOT
from tools import generator
from tools.selftest.clone import make_clone

GENERATED_CASES = 120


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with some generated suites in it."""
    folder = make_clone(tmp_path_factory.mktemp("gates") / "clone")
    table = generator.generate(count=GENERATED_CASES, seed=1, env="embedded")
    generator.write_suites(table, folder / "suites" / "generated")
    return folder


def run(folder: Path, *command: str) -> None:
    """Run a program of this Python and fail with its own words."""
    environment = {**os.environ, "ROBOT_OPTIONS": "", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_python_is_in_style(command: tuple[str, ...]) -> None:
    run(ROOT, "ruff", *command, "--no-cache", ".")


def test_type_hints_hold() -> None:
    run(ROOT, "mypy")  # its cache, in .mypy_cache, saves most of the time of the next call


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_suites_are_in_style(clone: Path, command: tuple[str, ...]) -> None:
    run(clone, "robocop", *command, "--no-cache", "suites", "resources")


def test_robot_accepts_every_suite(clone: Path) -> None:
    run(clone, "robot", "--dryrun", "--output", "NONE", "--log", "NONE", "--report", "NONE", "suites")


def test_groups_of_tests_are_kept_together(request: pytest.FixtureRequest) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@gates"), "pytest-xdist says the group there, or does not know of it"
