"""What a report says: verdicts, figures, words."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from robot.result import TestCase as ResultTest

from tools.report import figures, markdown, results
from tools.report.results import Case, Results
from tools.run import folder

RECORD = {
    "run": "r1",
    "started": "2026-01-01T00:00:00.000+00:00",
    "seconds": 20.0,
    "seed": 7,
    "interrupted": False,
    "environment": {"name": "embedded"},
    "arguments": {"processes": 2},
    "counts": {"planned": 3, "flaky": 0, "lost": 0},
}


def case(name: str, status: str = "PASS", *tags: str, message: str = "") -> Case:
    return Case(name, status, frozenset({"category-functional", *tags}), message, 0.1)


@pytest.mark.parametrize(
    ("status", "message", "tags", "verdict"),
    [
        ("PASS", "", (), "PASS"),
        ("FAIL", "P0 I2 lost", ("p0",), "FAIL"),
        ("FAIL", "Teardown failed:\nP0 I2 lost", ("p0",), "FAIL"),
        ("FAIL", "P0 I2 lost\n\nAlso teardown failed:\nExecution terminated by signal", ("p0",), "FAIL"),
        ("FAIL", "Setup failed:\nExecution terminated by signal", (), "NOT RUN"),
        ("FAIL", "Parent suite setup failed:\nno studio", (), "NOT RUN"),
        ("FAIL", "Test execution stopped due to a fatal error.", ("robot:exit",), "NOT RUN"),
        ("SKIP", "not proven: the target lacks x", (), "SKIP"),
    ],
)
def test_verdict_of_a_test(status: str, message: str, tags: tuple[str, ...], verdict: str) -> None:
    assert results.status_of(ResultTest("t", status=status, message=message, tags=tags)) == verdict


def test_bound_without_a_failure_is_the_known_formula() -> None:
    assert figures.failure_bound(0, 1247) == pytest.approx(1 - 0.05 ** (1 / 1247))


def test_bound_is_where_the_binomial_tail_has_five_percent() -> None:
    from scipy.stats import binom

    for failed, judged in ((1, 10), (3, 1247), (40, 50)):
        assert binom.cdf(failed, judged, figures.failure_bound(failed, judged)) == pytest.approx(0.05)


@pytest.mark.parametrize(("failed", "judged"), [(0, 0), (5, 5)])
def test_bound_where_nothing_is_known(failed: int, judged: int) -> None:
    assert figures.failure_bound(failed, judged) == 1.0


def test_percentile_is_the_nearest_rank() -> None:
    assert figures.percentile([], 0.99) is None
    assert figures.percentile([3.0], 0.99) == 3.0
    assert figures.percentile([float(n) for n in range(1, 101)], 0.99) == 99.0


def test_cut_off_log_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "1.jsonl").write_text('{"response": {"latency_ms": 12.5}}\n{"response": {"lat')
    assert figures.latencies(tmp_path) == [12.5]


def written(tmp_path: Path, *cases: Case, **changes: object) -> str:
    (tmp_path / folder.RECORD).write_bytes(orjson.dumps({**RECORD, **changes}))
    return markdown.write(tmp_path, Results(list(cases))).read_text()


def test_report_of_a_green_run(tmp_path: Path) -> None:
    text = written(tmp_path, case("T-1 a"), case("T-2 b"), case("T-3 c"))
    assert "- Passed: 3 (100.00%)" in text
    assert "(None detected)" in text
    assert "99.999" not in text
    assert "below 63.16%" in text, "three green cases prove next to nothing, and the report says so"


def test_report_of_a_lost_class(tmp_path: Path) -> None:
    bad = case("T-2 b", "FAIL", "p0", message="P0 I2 no class is lost: 1 class lost.\nCase T-2, seed 5.")
    text = written(tmp_path, case("T-1 a"), bad)
    assert "- P0 Failures: 1" in text
    assert "### T-2 b" in text
    assert "1 class lost" in text
    assert "Do not release" in text


def test_skipped_cases_are_not_counted_as_proof(tmp_path: Path) -> None:
    skipped = case("T-2 b", "SKIP", message="not proven: the target lacks x")
    text = written(tmp_path, case("T-1 a"), skipped)
    assert "- Skipped (not proven): 1 (50.00%)" in text
    assert "of 1 cases judged" in text
    assert "not proven: the target lacks x" in text


def test_cases_that_did_not_run_are_named(tmp_path: Path) -> None:
    text = written(tmp_path, case("T-1 a"), case("T-2 b", "NOT RUN"), interrupted=True)
    assert "was interrupted" in text
    assert "- Not run: 1" in text
    assert "Run again: 1 cases" in text
