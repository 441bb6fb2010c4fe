"""Writes the documentation that Robot Framework's own tools make: Libdoc of what may be said, Testdoc of what is said.

Nothing is kept in the tree: the pages are made from the files they describe, whenever somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jinja2
from robot.libdocpkg import LibraryDocumentation
from robot.output import LOGGER
from robot.testdoc import testdoc

from acceptance.datafiles import ROOT

FOLDER = ROOT / "results" / "docs"
SUITES = ("priority", "rules", "crash")
PAGE = Path(__file__).with_name("docs.html.j2")


@dataclass(frozen=True)
class Page:
    """A page of Libdoc: its file, what it is about, and its keywords with their first sentences."""

    file: str
    name: str
    doc: str
    keywords: list[tuple[str, str]]


def write(folder: Path = FOLDER) -> Path:
    """Write all pages into a folder, and return the first one to open.

    Args:
        folder: is made; pages of the same name are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    resources = [_libdoc(path, folder) for path in sorted((ROOT / "resources").glob("*.resource"))]
    libraries = [_libdoc(path, folder) for path in sorted((ROOT / "libraries").glob("*.py"))]
    suites = []
    # Robot Framework 7 says at each call that its Testdoc goes with version 8; ours is pinned, and no reader can act.
    LOGGER.unregister_console_logger()
    for name in SUITES:
        page = f"suites-{name}.html"
        testdoc(str(ROOT / "suites" / name), str(folder / page), title=f"Scenarios: {name}")
        suites.append((page, name))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(PAGE.read_text(encoding="utf-8"))
    index = folder / "index.html"
    index.write_text(template.render(resources=resources, libraries=libraries, suites=suites), encoding="utf-8")
    return index


def _libdoc(path: Path, folder: Path) -> Page:
    found = LibraryDocumentation(str(path))
    page = f"{path.suffix[1:]}-{path.stem}.html"
    found.save(str(folder / page), "HTML")
    keywords = [(keyword.name, keyword.short_doc) for keyword in found.keywords]
    return Page(page, found.name, found.doc.partition("\n\n")[0], keywords)
