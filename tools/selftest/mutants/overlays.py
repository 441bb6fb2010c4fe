"""The files there are in tools/mutants/ and tools/controls/."""

from __future__ import annotations

from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2]
MUTANTS = sorted((TOOLS / "mutants").glob("*.sql"))
CONTROLS = sorted((TOOLS / "controls").glob("*.sql"))


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]
