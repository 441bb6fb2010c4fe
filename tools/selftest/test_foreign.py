"""Systems that are not shaped like ours: green when right, and open about what is not proven."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from acceptance import embedded, environment
from acceptance.catalogue import read_tables
from acceptance.datafiles import ROOT
from tools import generator
from tools.run import cases, foresight, preflight
from tools.selftest.clone import make_clone, pilates
from tools.selftest.schemas import FOREIGN, files, left_in, of_schema, outcomes_of, robot, scenario


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = make_clone(tmp_path_factory.mktemp("foreign") / "clone")
    with (clone / "data" / "environments.yaml").open("a") as environments:
        environments.write("\n" + (FOREIGN / "strange" / "environment.yaml").read_text())
    return clone


@pytest.mark.parametrize("schema", ["supabase", "counter"])
def test_a_correct_system_is_green_and_left_clean(clone: Path, schema: str) -> None:
    given = [word for path in files(schema) for word in ("--sql", str(path.relative_to(ROOT)))]
    done = pilates(clone, "run", "--count", "24", "--processes", "2", *given)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((clone / "results" / "latest" / "run.json").read_bytes())["counts"]
    assert counts["failed"] == 0
    assert counts["passed"] > 20
    found = outcomes_of(clone / "results" / "latest")
    assert {status for status, _ in found.values()} == {"PASS", "SKIP"}
    assert all("not proven: " in message for status, message in found.values() if status == "SKIP")
    status, message = found["T-BUG-005"]  # tried again without a key, and acted once all the same
    assert status == "PASS"
    assert "no idempotency keys" in message
    assert "no idempotency keys" in found["T-RULE-310"][1]
    assert "no calendar" in found["T-CAL-001"][1]
    assert_was_foreseen(schema, found)
    supervisor = clone / "tools" / "studio" / "supervisor.py"
    with (
        closing(embedded.attach(supervisor, foreign=[clone / path.relative_to(ROOT) for path in files(schema)])) as at,
        closing(psycopg2.connect(at.database_url)) as connection,
    ):
        assert {name for name in sorted(read_tables(connection)) if left_in(connection, name)} == set()


def assert_was_foreseen(schema: str, found: dict[str, tuple[str, str]]) -> None:
    """Compare what a run has skipped with what was known beforehand."""
    with (
        closing(environment.connect(environment.load("sql", files(schema)))) as target,
        preflight.connected(target) as connection,
    ):
        catalogue, contract = preflight.understood(connection, target.environment)
        table = generator.generate(count=24)
        scenarios = foresight.scenarios_of(table["cases"], cases.by_hand(None).all_tests)
        seen = foresight.foresee(target, catalogue, contract, scenarios)
    assert set(found) == set(scenarios)
    assert len(seen.unproven) > 10
    assert {test_id for test_id in seen.unproven if found[test_id][0] != "SKIP"} == set()
    surprises = {i: said for i, (status, said) in found.items() if status == "SKIP" and i not in seen.unproven}
    chosen = re.compile("rules are its own|none of the environment's `refusals`")
    assert all(i in seen.maybe or chosen.search(said) for i, said in surprises.items()), surprises
    same = [test_id for test_id, reason in seen.unproven.items() if reason.rstrip(".") in found[test_id][1]]
    assert len(same) > 0.9 * len(seen.unproven), "for the reason that was given"


CANCEL_TWICE = (
    "And the member has booked the class",
    "When the member cancels the booking",
    "And the member cancels the booking",
    "Then the studio accepts it",
    "And 0 classes are given back",
    "And 5 classes are left",
)


@pytest.mark.parametrize(
    ("declared", "status", "words"),
    [
        ("", "PASS", "Its own choice: cancel_again: refused."),
        ("refused", "PASS", "Its own choice: cancel_again: refused."),
        ("accepted", "FAIL", "the environment declares cancel_again: accepted, and the target did otherwise."),
    ],
)
def test_a_rule_of_its_own_is_no_reason_to_stop(
    clone: Path, tmp_path: Path, declared: str, status: str, words: str
) -> None:
    sql = "".join(f"\n      - {path.relative_to(ROOT)}" for path in files("supabase"))
    entry = f"  chosen:\n    description: x\n    start: tools/studio/supervisor.py\n    sql:{sql}\n"
    path = clone / "data" / "environments.yaml"
    right = path.read_text()
    path.write_text(right + entry + (f"    policies: {{cancel_again: {declared}}}\n" if declared else ""))
    try:
        suite = scenario(tmp_path, "Two cancellations", *CANCEL_TWICE)
        suite.write_text(suite.read_text().replace(str(ROOT), str(clone)))
        found = robot(tmp_path, suite, at=clone, variables={"ENV": "chosen"})["T-OWN-001"]
    finally:
        path.write_text(right)
    assert (found[0], found[1].splitlines()[0]) == (status, words)


def test_where_a_scenario_has_left_its_path_nothing_is_proven(tmp_path: Path) -> None:
    lines = (
        *CANCEL_TWICE[:-1],
        "When the member books the class",
        "Then the studio accepts it",
        "And 5 classes are left",
    )
    suite = scenario(tmp_path, "Off the path", *lines)
    status, message = robot(tmp_path, suite, variables=of_schema("supabase"))["T-OWN-001"]
    assert status == "SKIP"
    assert "the target's rules are its own (cancel_again: refused); see `policies`" in message


def test_what_nobody_could_guess_is_said_in_the_environments(clone: Path) -> None:
    done = pilates(clone, "run", "--env", "strange", "--count", "12", "--processes", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "book: sp_1(which = the class) returns jsonb" in done.stdout
    assert "reschedule: the app makes it of cancel and book" in done.stdout
    found = outcomes_of(clone / "results" / "latest")
    assert found["T-BUG-003"][0] == found["T-CONC-004"][0] == "PASS"
    # Made of two calls, and judged as two: the class is moved, and none is lost.
    assert found["T-RULE-304"][0] in ("PASS", "SKIP")
    assert "lacks reschedule" not in " ".join(message for _, message in found.values())


def test_a_mapping_of_what_is_not_there_is_an_error(clone: Path) -> None:
    path = clone / "data" / "environments.yaml"
    right = path.read_text()
    try:
        path.write_text(right.replace("{class: which}", "{class: whatever}"))
        done = pilates(clone, "run", "--env", "strange", "--priority")
        assert done.returncode == 2, done.stdout
        assert "strange.arguments.book: sp_1 has no argument whatever" in done.stderr
        path.write_text(right.replace("book: sp_1", "book: sp_9"))
        done = pilates(clone, "run", "--env", "strange", "--priority")
        assert done.returncode == 2, done.stdout
        assert "strange.functions.book: the target has no function sp_9" in done.stderr
    finally:
        path.write_text(right)
