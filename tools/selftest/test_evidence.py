"""From a red test to its cause: the failure folder's words, the replay, the lone script, the analysis, the clean-up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from acceptance import embedded, rows
from acceptance.model import Operation
from tools.report import analysis, logs
from tools.report.results import Case, Results, read
from tools.run.reruns import Kind, classify
from tools.selftest.clone import make_clone, pilates

SECONDS = 120


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    few = ("priority/known_bug.robot", "priority/concurrency.robot")
    return make_clone(tmp_path_factory.mktemp("evidence") / "clone", suites=few)


@pytest.fixture(scope="module", params=["refund-again", "own-bookings-hidden"])
def broken(request: pytest.FixtureRequest, clone: Path) -> tuple[str, Path]:
    """A finished run of the priority scenarios against a broken studio."""
    done = pilates(clone, "run", "--priority", "--overlay", f"tools/mutants/{request.param}.sql")
    assert done.returncode == 1, done.stdout + done.stderr
    return request.param, (clone / "results" / "latest").resolve()


FOLDERS = {
    "refund-again": (
        "T-CONC-004",
        ["1 class given away", "two refunds for one booking", "2 calls at once", "for update"],
    ),
    "own-bookings-hidden": (
        "T-BUG-005",
        ["the member does not see", "a policy that is too wide, or too narrow", "create policy"],
    ),
}
FILES = {
    "README.md",
    "case.json",
    "requests.jsonl",
    "snapshot-before.json",
    "snapshot-after.json",
    "diff",
    "audit.json",
    "server.log",
    "replay.sh",
    "reproduce.py",
    "reproduce.json",
}


def test_the_failure_folder_tells_what_was_lost_and_why(broken: tuple[str, Path]) -> None:
    name, run = broken
    test_id, words = FOLDERS[name]
    folder = run / "failures" / test_id
    assert {path.name for path in folder.iterdir()} == FILES
    text = (folder / "README.md").read_text()
    for word in [*words, "**P0.**", "## What happened", "## Suggested fix", "replay.sh"]:
        assert word in text, f"{word!r} is missing:\n{text}"
    requests = [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]
    assert any(record["path"].startswith("/rpc/") for record in requests)
    trace = json.loads((folder / "case.json").read_text())["trace_id"]
    assert all(trace in line for line in (folder / "server.log").read_text().splitlines())
    assert (folder / "server.log").stat().st_size > 0


def test_the_log_links_to_the_failure_folder(broken: tuple[str, Path]) -> None:
    name, run = broken
    link = f'href="failures/{FOLDERS[name][0]}/README.md"'
    assert link in (run / "output.xml").read_text().replace("&lt;", "<").replace("&gt;", ">")


def test_the_case_can_be_replayed_and_reproduced_alone(clone: Path, broken: tuple[str, Path]) -> None:
    name, run = broken
    test_id, _ = FOLDERS[name]
    done = pilates(clone, "replay", test_id, "--run", str(run), "--repeat", "5")
    assert done.returncode == 1, done.stdout + done.stderr
    failed = int(done.stdout.split(" of 5 failed")[0].split()[-1])
    assert failed == 5
    studio = embedded.attach(clone / "tools/studio/supervisor.py", [clone / f"tools/mutants/{name}.sql"])
    environment = {
        **os.environ,
        "PILATES_API_URL": studio.api_url,
        "PILATES_DATABASE_URL": studio.database_url,
        "PILATES_JWT_SECRET": studio.jwt_secret,
    }
    script = [sys.executable, str(run / "failures" / test_id / "reproduce.py")]
    alone = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert alone.returncode == 1, alone.stdout + alone.stderr
    with psycopg2.connect(studio.database_url) as connection:
        assert rows.remove_rows(connection) == {"user_profiles": 0, "pilates_schedule_slots": 0}
    connection.close()
    studio.close()


def test_the_sound_studio_does_not_fail_the_replay(clone: Path) -> None:
    done = pilates(clone, "run", "--count", "3", "--category", "functional")
    assert done.returncode == 0, done.stdout + done.stderr
    again = pilates(clone, "replay", "T-000002", "--repeat", "3")
    assert (again.returncode, "passed 3 of 3" in again.stdout) == (0, True), again.stdout + again.stderr
    unknown = pilates(clone, "replay", "T-999999")
    assert unknown.returncode == 2
    assert "there is no case 'T-999999'" in unknown.stderr


def test_analyze_tells_the_findings(clone: Path, broken: tuple[str, Path]) -> None:
    _, run = broken
    done = pilates(clone, "analyze", run.name)
    assert done.returncode == 0, done.stderr
    record = json.loads((run / "analysis.json").read_text())
    assert sum(len(finding["cases"]) for finding in record["findings"]) >= 1
    assert all(finding["invariant"].startswith("I") for finding in record["findings"])
    assert all((run / finding["evidence"] / "README.md").is_file() for finding in record["findings"])
    assert record["latency_ms"][Operation.BOOK]["calls"] > 0


def case(name: str, status: str, message: str = "", *tags: str) -> Case:
    return Case(f"{name} does something", status, frozenset(tags), message, 0.1)


def test_analysis_says_what_failing_cases_share() -> None:
    lost = "P0 I2 no class is lost or given away: the member paid for {} classes; 1 left."
    results = Results(
        [
            case("T-1", "FAIL", lost.format(5), "device-ios", "zone-utc"),
            case("T-2", "FAIL", lost.format(7), "device-ios", "zone-asia-tokyo"),
            case("T-3", "PASS", "", "device-api", "zone-utc"),
        ]
    )
    assert analysis.shared(results.failures, results) == {"device": "ios"}


BROKE = "P0 I2 no class is lost or given away: 1 class lost."
NO_ANSWER = "expected accepted, but the answer is unknown (no answer: ConnectionError)."
VERDICTS = {
    "fails each time": (BROKE, [("FAIL", BROKE)] * 3, Kind.DETERMINISTIC),
    "broke an invariant once": (BROKE, [("PASS", "")] * 3, Kind.RACE),
    "broke one only in a rerun": ("expected accepted.", [("FAIL", BROKE), ("PASS", ""), ("PASS", "")], Kind.RACE),
    "failed softly, then passed": ("expected accepted.", [("PASS", "")] * 3, Kind.FLAKY),
    "failed softly to the end": ("expected accepted.", [("FAIL", "expected accepted.")] * 3, Kind.DETERMINISTIC),
    "never reached the target": (NO_ANSWER, [("FAIL", NO_ANSWER)] * 3, Kind.ENVIRONMENT),
}


@pytest.mark.parametrize(("message", "again", "kind"), VERDICTS.values(), ids=VERDICTS.keys())
def test_reruns_classify_and_never_turn_a_broken_invariant_green(
    message: str, again: list[tuple[str, str]], kind: Kind
) -> None:
    verdict = classify(case("T-1", "FAIL", message), [case("T-1", status, text) for status, text in again])
    assert verdict.kind is kind


def test_what_a_killed_worker_left_is_found_and_removed(clone: Path) -> None:
    studio = embedded.attach(clone / "tools/studio/supervisor.py")
    connection = psycopg2.connect(studio.database_url)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("insert into user_profiles (user_id, email) values (gen_random_uuid(), 'somebody@example.test')")
    command = [sys.executable, "-m", "robot", "--output", "NONE", "--log", "NONE", "--report", "NONE"]
    worker = subprocess.Popen(
        [*command, "--include", "concurrency", "suites"], cwd=clone, stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + SECONDS
    counted = "select count(*) from user_profiles where email like 'acceptance+%'"
    while not _count(cursor, counted):
        assert time.monotonic() < deadline, "the worker made no rows"
        assert worker.poll() is None, "the worker ended too soon"
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert _count(cursor, counted) > 0
    done = pilates(clone, "clean")
    assert done.returncode == 0, done.stderr
    assert _count(cursor, counted) == 0
    assert _count(cursor, "select count(*) from user_profiles") == 1, "somebody else's row was removed"
    cursor.execute("delete from user_profiles")
    connection.close()
    studio.close()


def _count(cursor: psycopg2.extensions.cursor, query: str) -> int:
    cursor.execute(query)
    [(number,)] = cursor.fetchall()
    count: int = number
    return count


def test_verify_db_and_reconcile_tell_on_screen_and_in_files(clone: Path, tmp_path: Path) -> None:
    studio = embedded.attach(clone / "tools/studio/supervisor.py")
    connection = psycopg2.connect(studio.database_url)
    connection.autocommit = True
    cursor = connection.cursor()
    assert pilates(clone, "verify-db").returncode == 0
    cursor.execute("insert into user_profiles values ('00000000-0000-4000-8000-000000000001', 'anna@example.test')")
    cursor.execute(
        "insert into pilates_deposits (user_id, classes_credited, deposit_remaining)"
        " values ('00000000-0000-4000-8000-000000000001', 10, 9)"
    )
    told = pilates(clone, "verify-db", "--output", str(tmp_path))
    assert told.returncode == 1, told.stderr
    assert "I2-members" in told.stdout
    assert "lost 1 classes" in told.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"verify-db.json", "I2-members.csv", "I2-deposits.csv"}
    mended = pilates(clone, "reconcile")
    assert (mended.returncode, "rollback;" in mended.stdout) == (1, True)
    cursor.execute("select deposit_remaining from pilates_deposits")
    assert cursor.fetchall() == [(9,)], "the proposal must not be run"
    cursor.execute("delete from pilates_deposits; delete from user_profiles")
    connection.close()
    studio.close()


VERDICT_SUITE = """\
*** Settings ***
Resource    {resource}
Test Setup    The case begins
Test Teardown    The case ends

*** Test Cases ***
A fault that never takes place
    Given a member with 1 class left
    And the answer is lost on the way back
    Then no class is lost or given away

A function that the target lacks
    Given a member with 1 class left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    When the member moves the booking to the other class
    Then the studio accepts it
"""


def test_not_exercised_fails_and_not_proven_is_skipped(clone: Path, tmp_path: Path) -> None:
    suite, overlay = tmp_path / "verdicts.robot", tmp_path / "lacks.sql"
    suite.write_text(VERDICT_SUITE.format(resource=clone / "resources" / "studio.resource"))
    overlay.write_text("drop function public.reschedule_pilates_booking(uuid, uuid, uuid);")
    command = [sys.executable, "-m", "robot", "--outputdir", str(tmp_path), "--variable", f"OVERLAY:{overlay}"]
    subprocess.run([*command, str(suite)], cwd=clone, capture_output=True, timeout=SECONDS, check=False)
    fault, lacking = read(tmp_path / "output.xml").cases
    assert (fault.status, lacking.status) == ("FAIL", "SKIP")
    assert "not exercised: planned, but it never took place: answer lost" in fault.message
    assert lacking.message == "not proven: the target lacks reschedule_pilates_booking."


def test_the_logs_of_all_workers_are_merged_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name, times in (("1", (1, 4)), ("2", (2, 3))):
        lines = [json.dumps({"timestamp": f"2026-01-01T00:00:0{t}", "test_id": "T-1", "step": 1}) for t in times]
        (tmp_path / "logs" / f"{name}.jsonl").write_text("\n".join(lines) + '\n{"cut o')
    merged = logs.merge(tmp_path).read_text().splitlines()
    assert [json.loads(line)["timestamp"][-1] for line in merged] == ["1", "2", "3", "4"]
