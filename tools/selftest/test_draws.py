"""The random lane: what it draws, what it finds, and what it says of it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from robot.api import TestSuite as Suite

from acceptance.datafiles import DATA
from tools.draws import job, program
from tools.generator import matrix, write_suites
from tools.report import proof
from tools.selftest.clone import pilates

PLAN = matrix.load()
CASE = orjson.loads((DATA / "case.schema.json").read_bytes())
EVERY = settings(
    max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@EVERY
@given(program.programs(PLAN))
def test_every_program_is_a_case_of_the_seeds_format(drawn: program.Program) -> None:
    case = program.told(PLAN, drawn, "T-RANDOM-000001", 4711, "embedded")
    Draft202012Validator({"$defs": CASE["$defs"], "$ref": "#/$defs/case"}).validate(case)
    assert program.told(PLAN, drawn, "T-RANDOM-000001", 4711, "embedded") == case


@settings(EVERY, max_examples=30, phases=[Phase.generate])
@given(drawn=st.lists(program.programs(PLAN), min_size=5, max_size=5))
def test_every_sentence_of_a_program_is_in_the_vocabulary(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[program.Program]
) -> None:
    cases = [program.told(PLAN, one, f"T-RANDOM-{n:06d}", n, "embedded") for n, one in enumerate(drawn)]
    place = tmp_path_factory.mktemp("programs")
    table = {"generator": {"seed": 1, "count": len(cases), "version": 1}, "cases": cases}
    (file,) = write_suites(table, place / "suite", resource=str(job.RESOURCE))
    result = Suite.from_file_system(file).run(dryrun=True, output=None, log=None, report=None, console="none")
    assert [test.message for test in result.suite.all_tests if not test.passed] == []


def test_a_fault_is_planned_only_where_the_call_comes_by() -> None:
    step = program.One(program.CALLS[0], "connection dies", 2)
    early = program.Program("normal-01", "android", "UTC", "tomorrow at 10:00", 4, 0, 1, 1, False, (step,))
    late = replace(early, when=program.LATE[0])  # a class that has started is refused before any change
    planned, left_out = (program.told(PLAN, one, "T-RANDOM-000001", 1, "embedded") for one in (early, late))
    assert planned["failure_injection"]["type"] == ["the database connection dies at deposit.updated"]
    assert left_out["failure_injection"] is None


def test_draws_depend_on_their_number_and_the_seed_alone() -> None:
    one, another = (object.__new__(job._Worker) for _ in range(2))
    one.wish, another.wish = (job.Wish(5, seed, "embedded", 1) for seed in (1, 2))
    seeds = [one.seed(number) for number in range(1, 500)]
    assert len(set(seeds)) == len(seeds)
    assert not set(seeds) & {another.seed(number) for number in range(1, 500)}


@pytest.mark.parametrize(("verdicts", "code"), [("pp", 0), ("pf", 1), ("pe", 2), ("n", 2), ("", 2), ("fe", 1)])
def test_exit_codes(verdicts: str, code: int) -> None:
    names = {"p": "passed", "f": "failed", "e": "error", "n": "not proven"}
    found = [job.Draw(f"T-RANDOM-{n}", names[letter]) for n, letter in enumerate(verdicts)]
    tally = job.Tally(job.Wish(2, 1, "embedded", 1), found)
    assert tally.exit_code == code
    assert tally.record()["draws"] == sum(letter in "pf" for letter in verdicts)


def folder_of(done: subprocess.CompletedProcess[str]) -> Path:
    line = next(line for line in done.stdout.splitlines() if "draws, seed" in line)
    return Path(line.partition("workers: ")[2])


def test_the_sound_studio_passes_every_draw(clone: Path) -> None:
    done = pilates(clone, "random", "--draws", "24", "--seed", "11", "--processes", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 programs drawn independently and judged, none failed" in done.stdout
    draws = proof.find_draws(folder_of(done))
    assert draws is not None
    assert (draws.draws, draws.failures) == (24, 0)


def test_a_defect_is_found_shrunk_and_replayed(clone: Path) -> None:
    overlay = clone / "tools" / "mutants" / "book-charges-two.sql"
    done = pilates(clone, "random", "--draws", "12", "--seed", "11", "--overlay", str(overlay))
    assert done.returncode == 1, done.stdout + done.stderr
    place = folder_of(done)
    found = orjson.loads((place / proof.DRAWS).read_bytes())
    smallest = min(
        (one for one in found["programs"] if one["again"] is not None),
        key=lambda one: len(one["smallest"]["scenario"]),
    )
    assert smallest["again"] == job.AGAIN
    # One booking is enough to be charged twice.
    calls = [line for line in smallest["smallest"]["scenario"] if line.startswith("When ")]
    assert len(calls) <= 1, calls
    assert (place / "failures" / smallest["test_id"] / "README.md").is_file()
    done = pilates(clone, "replay", smallest["test_id"], "--run", str(place), "--repeat", "3")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "3 of 3 failed" in done.stdout
