"""Makes a copy of the project to run in, so that a test never touches the suites and results of the real one."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("suites", "resources", "libraries", "data", "tools")
FILES = ("requirements.txt", "pyproject.toml")
NOT_COPIED = shutil.ignore_patterns("generated", "__pycache__")


def make_clone(folder: Path) -> Path:
    """Copy what a fresh clone of the project has into a folder, and return it."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=NOT_COPIED)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    return folder
