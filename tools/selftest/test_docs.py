"""The generated documentation, and the examples in it: each keyword has one, and each is a line that runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from robot.api import TestSuite as Suite
from robot.libdocpkg import LibraryDocumentation

from acceptance.datafiles import ROOT
from tools import docs, generator

PAGES = [*sorted((ROOT / "resources").glob("*.resource")), *sorted((ROOT / "libraries").glob("*.py"))]
ROW = re.compile(r"^\|\s(.+?)\s*\|?$")
FRAMES = ("Suite Setup", "Suite Teardown", "Test Setup", "Test Teardown", "[Teardown]", "[Setup]")
COMMAND = re.compile(r"(robot|pabot) ")
SETTINGS = """*** Settings ***
Library    Collections
{imports}
*** Test Cases ***
"""


def examples(path: Path) -> dict[str, list[list[str]]]:
    """Read the examples of each keyword: the rows after "Example:", by their cells."""
    found = {}
    for keyword in LibraryDocumentation(str(path)).keywords:
        after = keyword.doc.partition("Example:")[2]
        rows = [match[1] for line in after.splitlines() if (match := ROW.match(line.strip()))]
        found[keyword.name] = [re.split(r"\s*\|\s+", row) for row in rows]
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_keyword_has_an_example_that_runs(path: Path, tmp_path: Path) -> None:
    found = examples(path)
    assert [name for name, rows in found.items() if not rows] == []
    kind = "Resource" if path.suffix == ".resource" else "Library"
    lines = [SETTINGS.format(imports=f"{kind}    {path}\nResource    {ROOT}/resources/studio.resource")]
    for number, (name, rows) in enumerate(found.items()):
        calls = [row[1:] if row[0] in FRAMES else row for row in rows if not COMMAND.match(row[0])]
        assert calls or all(COMMAND.match(row[0]) for row in rows), name
        lines += [f"Example {number}", *("    " + "    ".join(row) for row in calls or [["No Operation"]])]
    suite = tmp_path / "examples.robot"
    suite.write_text("\n".join(lines) + "\n")
    result = Suite.from_file_system(suite).run(dryrun=True, output=None, log=None, report=None, console="none")
    wrong = {test.name: test.message for test in result.suite.all_tests if not test.passed}
    names = list(found)
    assert {names[int(name.split()[1])]: message for name, message in wrong.items()} == {}


def test_every_sentence_is_said_by_a_scenario(tmp_path: Path) -> None:
    """A sentence that no scenario says is not tried by any run: it is dead, or a scenario is missing."""
    table = generator.generate(count=200, seed=20251024)
    files = generator.write_suites(table, tmp_path / "suite", resource=str(ROOT / "resources" / "studio.resource"))
    told = [*files, *(ROOT / "suites").glob("*/*.robot"), ROOT / "data" / "test_matrix.yaml"]  # the latter: races
    text = "\n".join(path.read_text() for path in told).lower()
    unsaid = []
    for path in sorted((ROOT / "resources").glob("*.resource")):
        for keyword in LibraryDocumentation(str(path)).keywords:
            pattern = re.sub(r"\\\$\\\{\w+(?::((?:[^{}\\]|\\.)*?))?\\\}", "(.*)", re.escape(keyword.name.lower()))
            if not re.search(pattern, text):
                unsaid.append(f"{path.name}: {keyword.name}")
    assert unsaid == []


def test_pages_are_written_and_linked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    index = docs.write(tmp_path / "docs").read_text()
    links = re.findall(r'href="([^"]+)"', index)
    assert len(links) == len(PAGES) + len(docs.SUITES)
    assert all((tmp_path / "docs" / link).stat().st_size > 10_000 for link in links)
    assert "The member books the class" in index
    assert "http://" not in index
    assert "WARN" not in capfd.readouterr().err
