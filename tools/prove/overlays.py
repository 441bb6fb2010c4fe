"""The overlays of ``tools/mutants`` and ``tools/controls``, and what their heads say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from acceptance.errors import SuiteError

TOOLS = Path(__file__).resolve().parents[1]
MUTANTS = TOOLS / "mutants"
CONTROLS = TOOLS / "controls"
CONTROL = "control"
HEADER = re.compile(r"-- ([a-z]+): (\S.*)")


@dataclass(frozen=True)
class Overlay:
    """One SQL file that changes the studio, with the lines at its head."""

    path: Path
    head: dict[str, str]

    @property
    def id(self) -> str:
        """The file's name."""
        return self.path.stem

    @property
    def family(self) -> str:
        """The kind of defect; ``control`` for a correct variant."""
        return self.head.get("family", "own")

    @property
    def is_control(self) -> bool:
        """Whether the suite must stay green on it."""
        return self.family == CONTROL

    @property
    def is_race(self) -> bool:
        """Whether it shows only when calls meet, so that a kill must be seen each time."""
        return self.head.get("race") == "yes"

    @property
    def equivalent(self) -> str:
        """Why nobody can tell it from the studio; empty where somebody can."""
        return self.head.get("equivalent", "")


def header(path: Path) -> dict[str, str]:
    """Read the lines at a file's head.

    Raises:
        SuiteError: when the file cannot be read, or says something twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path}: cannot be read: {error}.") from None
    found: dict[str, str] = {}
    for line in lines:
        match = HEADER.fullmatch(line)
        if match is None:
            break
        if match[1] in found:
            raise SuiteError(f"{path}: says {match[1]!r} twice.")
        found[match[1]] = match[2]
    return found


def read(path: Path) -> Overlay:
    """Read one overlay; one's own may lack a head.

    Raises:
        SuiteError: when there is no such file.
    """
    return Overlay(path.resolve(), header(path))


def choose(names: list[str], family: str | None, files: list[Path]) -> list[Overlay]:
    """Choose overlays: all of them, or those that are named; one's own files alone where no name is given.

    Raises:
        SuiteError: when a name or family is not there.
    """
    known = [read(path) for folder in (MUTANTS, CONTROLS) for path in sorted(folder.glob("*.sql"))]
    own = [read(path) for path in files]
    for name in names:
        if name not in {overlay.id for overlay in known}:
            raise SuiteError(f"{MUTANTS}: there is no mutant {name!r}, and no control; own files take --sql.")
    families = sorted({overlay.family for overlay in known})
    if family is not None and family not in families:
        raise SuiteError(f"{MUTANTS}: there is no family {family!r}; known: {', '.join(families)}.")
    if names:
        return own + [overlay for overlay in known if overlay.id in names]
    if family is not None:
        return own + [overlay for overlay in known if overlay.family == family]
    return own or known
