"""tools/run/worker.py: a worker parses the files of its own suites, and a long run's log has the steps of failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from robot.api import ExecutionResult

from acceptance.datafiles import ROOT
from tools.run import pabot, shards, worker

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


def run(suites: Path, name: str, **settings: str) -> tuple[int, str]:
    """Run the worker on the suite of this name; return its exit code and what it said."""
    place = suites.parent
    arguments = place / "python_argfile.txt"
    arguments.write_text(f"--name All\n--suite {name}\n--outputdir {place}\n{suites}\n")
    done = subprocess.run(
        [sys.executable, "-m", "tools.run.worker", "-A", str(arguments)],
        cwd=ROOT,
        env={**os.environ, worker.FILES: str(place / "files.json"), "PYTHONPATH": str(ROOT), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_only_the_named_suites_files_are_parsed(suites: Path) -> None:
    code, said = run(suites, "All.Good")
    assert code == 0, said
    assert "1 test, 1 passed" in said
    assert "bad.robot" not in said


def test_without_a_known_file_everything_is_parsed(suites: Path) -> None:
    (suites.parent / "files.json").write_text("{}")
    code, said = run(suites, "All.Good")
    assert code == 0, said
    assert "1 test, 1 passed" in said
    assert "bad.robot" in said


def test_a_long_runs_log_has_the_steps_of_what_failed_alone(suites: Path) -> None:
    words = """*** Test Cases ***
Passes
    [Documentation]    About it.
    [Tags]    one
    Log    said of what passed

Fails
    Log    said of what failed
    Fail    on purpose

Skips
    Skip    for a reason
"""
    (suites / "good.robot").write_text(words)
    ends = [("Passes", "PASS"), ("Fails", "FAIL"), ("Skips", "SKIP")]
    steps = {"": [1, 2, 1], "yes": [0, 2, 1]}
    for setting, expected in steps.items():
        code, said = run(suites, "All.Good", **{worker.SHORT: setting})
        assert code == 1, said
        tests = list(ExecutionResult(suites.parent / "output.xml").suite.all_tests)
        assert [(test.name, test.status) for test in tests] == ends
        assert [len(test.body) for test in tests] == expected
        assert (str(tests[0].doc), list(tests[0].tags)) == ("About it.", ["one"])
        assert tests[1].message == "on purpose"
        assert tests[1].elapsed_time.total_seconds() > 0


def test_a_sentence_is_found_however_often_and_in_whichever_words(suites: Path) -> None:
    words = """*** Test Cases ***
Often
    Given 1 class is left
    Then 2 classes are left
    And 1 class is left
    When 1 class is left

Not there
    Then 1 class is gone

*** Keywords ***
${count:[0-9]+ class(es)?} (is|are) left
    Log    ${count}
"""
    (suites / "good.robot").write_text(words.replace("(is|are)", "${verb:is|are}"))
    code, said = run(suites, "All.Good")
    assert code == 1, said
    often, missing = ExecutionResult(suites.parent / "output.xml").suite.all_tests
    assert [step.body[0].body[0].message for step in often.body] == ["1 class", "2 classes", "1 class", "1 class"]
    assert missing.message == "No keyword with name 'Then 1 class is gone' found."


@pytest.mark.parametrize(("count", "rounds"), [(40, 1), (1200, 2)])
def test_suites_are_dealt_out_evenly_and_in_rounds(tmp_path: Path, count: int, rounds: int) -> None:
    files = {}
    for number in range(count):
        files[f"S {number}"] = tmp_path / f"s_{number}.robot"
        tags = ("network-high-latency", "action-calendar-fails", "")
        files[f"S {number}"].write_text(f"*** Test Cases ***\nT-{number} x\n    [Tags]    {tags[number % 3]}\n")
    workers = 5
    text = pabot._deal(files, workers, tmp_path / "order").read_text()
    heaps = [heap.split("\n") for heap in text.removeprefix("{\n").removesuffix("\n}\n").split("\n}\n{\n")]
    assert len(heaps) == rounds * workers
    assert sorted(line for heap in heaps for line in heap) == sorted(f"--suite {name}" for name in files)
    loads = [sum(shards.cost_of_file(files[line.removeprefix("--suite ")]) for line in heap) for heap in heaps]
    assert max(loads) <= pabot.MOST_OF_A_WORKER
    costliest = max(map(shards.cost_of_file, files.values()))
    assert max(loads) - min(loads) <= costliest, "one suite more or less"
