"""README.md's table of what to add where: each thing is added to a copy, in that one place, and then it is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tools.selftest.clone import make_clone, pilates

SCENARIO = """*** Settings ***
Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        priority


*** Test Cases ***
T-MINE-001 A kiosk books again after its key could not be written
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    When the database fails with 40001 at key.insert
    And the member books the class on kiosk
    And the member repeats the request
    Then the studio accepts it
    And 9 classes are left
    And the booking stands in the calendar
"""
ENVIRONMENT = """
  mine:
    description: The studio under another name.
    start: tools/studio/supervisor.py
    instruments: true
"""
INVARIANT = '''

@invariant("I99")
def booked_now(facts: Facts) -> Iterator[str]:
    """Look for new bookings that say they are old."""
    known = {row["id"] for row in facts.before.bookings}
    for row in facts.after.bookings:
        if row["id"] not in known and row["created_at"] < "2020":
            yield f"the booking {row['id']} says it was made at {row['created_at']}."
'''
ITS_WORDS = """
I99:
  name: a booking is made when it is made
  severity: P1
  meaning: A booking says when it was made.
  causes: A default of another century.
  fix: Let the database write the time.
"""
MUTANT = """-- id: booked-long-ago
-- family: wrong row or trace
-- symptom: bookings look older than the studio
-- invariants: I99
-- priority: P1
alter table public.pilates_bookings alter column created_at set default '1970-01-01';
"""


def append(path: Path, text: str) -> None:
    """Write something at the end of a file, as a person would."""
    path.write_text(path.read_text().rstrip("\n") + "\n" + text)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which the scenario is the only one written by hand."""
    place = make_clone(tmp_path_factory.mktemp("contributing") / "clone", suites={"none"})
    (place / "suites" / "priority").mkdir()
    (place / "suites" / "priority" / "mine.robot").write_text(SCENARIO)
    kiosk = yaml.safe_load((place / "data" / "devices.yaml").read_text())["devices"]["api"] | {"label": "Kiosk"}
    append(place / "data" / "devices.yaml", f"  kiosk: {json.dumps(kiosk)}\n")
    append(place / "data" / "environments.yaml", ENVIRONMENT)
    instruments = place / "libraries" / "acceptance" / "instruments.py"
    there = '    "pilates_calendar_outbox": "calendar",\n'
    assert there in instruments.read_text()
    instruments.write_text(instruments.read_text().replace(there, f'{there}    "idempotency_keys": "key",\n'))
    append(place / "libraries" / "acceptance" / "invariants" / "schedule.py", INVARIANT)
    append(place / "data" / "invariants.yaml", ITS_WORDS)
    (place / "tools" / "mutants" / "booked-long-ago.sql").write_text(MUTANT)
    return place


def test_a_scenario_a_device_a_fault_point_and_an_environment_are_used(clone: Path) -> None:
    done = pilates(clone, "run", "--env", "mine", "--priority", "--processes", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 passed" in done.stdout


def test_the_generator_draws_the_new_device(clone: Path) -> None:
    done = pilates(clone, "generate", "--count", "60", "--category", "functional")
    assert done.returncode == 0, done.stderr
    (table,) = (clone / "results" / "test-cases").glob("*.json")
    assert "kiosk" in {case["device"] for case in json.loads(table.read_bytes())["cases"]}


def test_an_invariant_finds_a_mutant(clone: Path) -> None:
    mutant = clone / "tools" / "mutants" / "booked-long-ago.sql"
    done = pilates(clone, "run", "--priority", "--processes", "1", "--overlay", str(mutant))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "I99 a booking is made when it is made" in done.stdout


def test_an_invariant_without_words_is_refused_with_the_place(clone: Path) -> None:
    words = clone / "data" / "invariants.yaml"
    text = words.read_text()
    words.write_text(text.replace("  fix: Let the database write the time.\n", ""))
    done = pilates(clone, "run", "--priority", "--processes", "1")
    words.write_text(text)
    assert done.returncode == 2
    assert "data/invariants.yaml: I99.fix: is missing" in done.stdout + done.stderr
