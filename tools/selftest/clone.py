"""Makes a copy of the project to run in, so that a test never touches the suites and results of the real one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from acceptance.datafiles import ROOT

FOLDERS = ("suites", "resources", "libraries", "data", "tools")
FILES = ("requirements.txt", "pyproject.toml")
NOT_COPIED = shutil.ignore_patterns("generated", "__pycache__")
SECONDS = 240


def interruptible() -> None:
    """Let Ctrl-C reach a child process, also where we were started in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def make_clone(folder: Path, *, suites: Collection[str] = ()) -> Path:
    """Copy what a fresh clone of the project has into a folder, and return it.

    Args:
        folder: is made.
        suites: the files written by hand that are wanted, such as ``priority/known_bug.robot``; all of them by default.
            A run makes all of those there are, and a test that is about something else need not wait for them.
    """
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=NOT_COPIED)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    for path in (folder / "suites").glob("*/*.robot") if suites else ():
        if f"{path.parent.name}/{path.name}" not in suites:
            path.unlink()
            if not list(path.parent.glob("*.robot")):
                shutil.rmtree(path.parent)  # Robot Framework wants no empty suite
    return folder


def pilates(clone: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Type a command in a clone, with further variables in its environment."""
    return subprocess.run(
        [sys.executable, "tools/pilates.py", *arguments],
        cwd=clone,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
