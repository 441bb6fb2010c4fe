"""The main job in a fresh copy of the project, as a person starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from robot.api import ExecutionResult
from robot.result import Keyword
from robot.result import TestCase as ResultTest

from tools.run.cases import id_of
from tools.selftest.clone import interruptible, make_clone, pilates

CASES = 40
SECONDS = 240


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A blank in the path, as in many a home folder.
    few = {f"priority/{name}.robot" for name in ("known_bug", "concurrency", "multi_device")} | {"rules/rights.robot"}
    return make_clone(tmp_path_factory.mktemp("end to end") / "clone", suites=few)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "tools/pilates.py", *arguments]


def outcome_of(run: Path) -> list[ResultTest]:
    return list(ExecutionResult(run / "output.xml").suite.all_tests)


@pytest.fixture(scope="module")
def green(clone: Path) -> subprocess.CompletedProcess[str]:
    """A finished run on the studio as it is."""
    return pilates(clone, "run", "--count", str(CASES), "--processes", "2")


@pytest.fixture(scope="module")
def latest(clone: Path, green: subprocess.CompletedProcess[str]) -> Path:
    assert green.returncode == 0, green.stdout + green.stderr
    return (clone / "results" / "latest").resolve()


def test_all_cases_pass(latest: Path) -> None:
    tests = outcome_of(latest)
    table = json.loads((latest / "cases.json").read_bytes())
    generated = {case["test_id"] for case in table["cases"]}
    assert len(generated) == CASES
    assert generated <= {id_of(test.name) for test in tests}
    assert {id_of(test.name) for test in tests} >= {"T-BUG-001", "T-CONC-001", "T-MULTI-001"}
    assert [test.name for test in tests if not test.passed] == []


def test_root_suite_has_the_fixed_name(latest: Path) -> None:
    assert ExecutionResult(latest / "output.xml").suite.name == "Pilates"


def test_each_generated_case_has_its_tags(latest: Path) -> None:
    for test in outcome_of(latest):
        for kind in ("category-*", "priority-*"):
            assert test.tags.match(kind), f"{test.name} has no tag {kind}: {test.tags}"


def test_log_reads_given_when_then(latest: Path) -> None:
    test = next(test for test in outcome_of(latest) if id_of(test.name) == "T-000001")
    words = {step.name.split()[0] for step in test.body if isinstance(step, Keyword) and step.name}
    assert {"Given", "When", "Then"} <= words


def test_evidence_of_each_case_is_kept(latest: Path) -> None:
    ids = {id_of(test.name) for test in outcome_of(latest)}
    for case_id in ids:
        for moment in ("before", "after"):
            snapshot = json.loads((latest / "snapshots" / f"{case_id}-{moment}.json").read_bytes())
            assert snapshot["snapshot_id"] == f"{case_id}-{moment}"
    records = [json.loads(line) for log in (latest / "logs").glob("*.jsonl") for line in log.read_text().splitlines()]
    assert {record["test_id"] for record in records} == ids
    wanted = {"timestamp", "trace_id", "user_id", "device", "env", "action", "request", "response", "assertions"}
    assert all(wanted <= record.keys() for record in records)


def test_no_secret_is_kept(latest: Path) -> None:
    for path in latest.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"eyJhbGciOi" not in content, f"{path} holds a token"
            assert b"postgresql://" not in content, f"{path} holds a database URL"


def test_run_is_described(latest: Path) -> None:
    record = json.loads((latest / "run.json").read_bytes())
    planned = record["counts"]["planned"]
    assert record["counts"] == {
        "planned": planned,
        "passed": planned,
        "failed": 0,
        "p0": 0,
        "flaky": 0,
        "skipped": 0,
        "not_run": 0,
        "lost": 0,
    }, [test.message for test in outcome_of(latest) if test.message]
    assert record["exit_code"] == 0
    assert record["arguments"]["count"] == CASES
    for name in ("log.html", "report.html", "xunit.xml", "final-report.html", "../dashboard.html"):
        assert (latest / name).stat().st_size > 0
    assert not list(latest.glob("pabot_results")), "pabot's scratch folder was left behind"


def test_report_can_be_written_again(clone: Path, latest: Path) -> None:
    report = latest / "final-report.md"
    first = report.read_text()
    report.unlink()
    done = pilates(clone, "report", latest.name)
    assert done.returncode == 0, done.stderr
    assert report.read_text() == first
    assert f"- Passed: {len(outcome_of(latest))} (100.00%)" in first


def test_broken_studio_is_found_out(clone: Path, latest: Path) -> None:
    overlay = "tools/mutants/book-without-booking.sql"
    done = pilates(clone, "run", "--count", "15", "--category", "functional", "--overlay", overlay)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "P0 failures:" in done.stdout
    run = (clone / "results" / "latest").resolve()
    assert run != latest, "nothing is overwritten"
    messages = [test.message for test in outcome_of(run) if "p0" in test.tags]
    assert any("lost" in message for message in messages), messages[:3]
    assert "Do not release" in (run / "final-report.md").read_text()


def test_interrupted_run_keeps_what_was_done(clone: Path) -> None:
    process = subprocess.Popen(
        command("run", "--count", "400", "--processes", "2"),
        cwd=clone,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    try:
        _wait_for_some_cases(process)
        process.send_signal(signal.SIGINT)
        words, _ = process.communicate(timeout=150)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 2, words
    run = (clone / "results" / "latest").resolve()
    record = json.loads((run / "run.json").read_bytes())
    assert record["interrupted"]
    assert 0 < record["counts"]["passed"] < 400
    assert record["counts"]["failed"] == 0
    assert "Interrupted" in words
    assert (run / "log.html").exists()
    assert pilates(clone, "clean").stdout.count(": 0 removed") == 2


def _wait_for_some_cases(process: subprocess.Popen[str]) -> None:
    """Read until the run says that cases have passed; it says so every few seconds."""
    until = time.monotonic() + SECONDS
    for line in process.stdout or ():
        if line.startswith("running:") and " 0 passed" not in line:
            return
        assert time.monotonic() < until, "no case passed in time"
    pytest.fail("the run ended before it said how far it was")


def test_robot_alone_runs_one_case(clone: Path, latest: Path, tmp_path: Path) -> None:
    arguments = ["--test", "T-000001*", "--outputdir", str(tmp_path), "suites"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "robot", *arguments],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 test, 1 passed, 0 failed" in done.stdout
