"""What a report says: verdicts, figures, words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import orjson
import pytest
from robot.result import TestCase as ResultTest

from acceptance.errors import SuiteError
from tools import generator
from tools.report import facts, figures, heat, logs, markdown, proof, readiness, results, unproven, words, writing
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


@pytest.mark.parametrize(
    ("draws", "confidence", "percent"),
    [(1247, 0.95, 0.240), (1247, 0.99999, 0.919), (59, 0.95, 4.951), (299, 0.95, 0.997), (10, 0.95, 25.887)],
)
def test_bound_without_a_failure_is_the_published_one(draws: int, confidence: float, percent: float) -> None:
    bound = figures.failure_bound(0, draws, confidence)
    assert 100 * bound == pytest.approx(percent, abs=0.0005)
    assert bound == pytest.approx(1 - (1 - confidence) ** (1 / draws))


def test_bounds_are_where_the_binomial_tail_has_five_percent() -> None:
    from scipy.stats import binom

    for count, total in ((1, 10), (3, 1247), (40, 50)):
        assert binom.cdf(count, total, figures.failure_bound(count, total)) == pytest.approx(0.05)
        assert binom.sf(count - 1, total, figures.detection_bound(count, total)) == pytest.approx(0.05)


@pytest.mark.parametrize(("rate", "draws"), [(0.05, 59), (0.01, 299), (0.001, 2995), (0.00001, 299_572)])
def test_draws_needed_are_the_published_ones(rate: float, draws: int) -> None:
    assert figures.draws_needed(rate) == draws
    assert figures.failure_bound(0, draws) <= rate < figures.failure_bound(0, draws - 1)


def test_detection_is_bounded_from_below() -> None:
    assert figures.detection_bound(59, 59) == pytest.approx(0.9505, abs=0.0001)
    assert figures.detection_bound(1, 1) == pytest.approx(0.05)
    assert figures.detection_bound(0, 5) == 0.0
    assert figures.detection_bound(0, 0) == 0.0


def test_green_run_is_worth_the_bound_less_its_own_doubt() -> None:
    assert figures.green_confidence(59, 59) == pytest.approx(0.9005, abs=0.0001)
    assert figures.green_confidence(1, 1) == pytest.approx(0.0), "one mutant allows no claim"
    assert figures.green_confidence(0, 9) == 0.0


@pytest.mark.parametrize(("failed", "judged"), [(0, 0), (5, 5)])
def test_bound_where_nothing_is_known(failed: int, judged: int) -> None:
    assert figures.failure_bound(failed, judged) == 1.0


def test_percentile_is_the_nearest_rank() -> None:
    assert figures.percentile([], 0.99) is None
    assert figures.percentile([3.0], 0.99) == 3.0
    assert figures.percentile([float(n) for n in range(1, 101)], 0.99) == 99.0


def test_cut_off_log_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    whole = '{"timestamp": "2026-11-27T10:00:00.000+00:00", "test_id": "T-1", "step": 1}'
    (tmp_path / "logs" / "1.jsonl").write_text(f'{whole}\n{{"timestamp": "2026-11-27T')
    assert [record["test_id"] for record in logs.records(tmp_path)] == ["T-1"]
    assert logs.merge(tmp_path).read_text() == f"{whole}\n"


def gathered(tmp_path: Path, *cases: Case, **changes: object) -> facts.Facts:
    (tmp_path / folder.RECORD).write_bytes(orjson.dumps({**RECORD, **changes}))
    return facts.gather(tmp_path, Results(list(cases)))


def written(tmp_path: Path, *cases: Case, **changes: object) -> str:
    return markdown.write(gathered(tmp_path, *cases, **changes)).read_text()


def proven(verdicts: str = "killed killed killed equivalent", controls: str = "green green") -> bytes:
    mutants = [
        {"id": f"m{n}", "family": "lock removed", "invariants": ["I2", "I13"], "verdict": verdict, "reason": "why"}
        for n, verdict in enumerate(verdicts.split())
    ]
    return orjson.dumps(
        {
            "mutants": mutants,
            "controls": [{"id": f"c{n}", "verdict": v} for n, v in enumerate(controls.split())],
            "score": {},
        }
    )


def test_report_of_a_green_run(tmp_path: Path) -> None:
    text = written(tmp_path, case("T-1 a"), case("T-2 b"), case("T-3 c"))
    assert "- Passed: 3 (100.00%)" in text
    assert "(None detected)" in text
    assert "None of 3 cases judged failed; they were chosen" in text
    assert "No independent draws were made" in text
    assert "the rate of failing" not in text, "cases that were chosen bound no rate"
    assert "production-ready" not in text


def test_report_of_a_lost_class(tmp_path: Path) -> None:
    bad = case("T-2 b", "FAIL", "p0", message="P0 I2 no class is lost: 1 class lost.\nCase T-2, seed 5.")
    text = written(tmp_path, case("T-1 a"), bad)
    assert "- P0 Failures: 1" in text
    assert "### T-2 b" in text
    assert "1 class lost" in text
    assert "Do not release" in text


UNPROVEN = [
    "not proven: the target keeps no idempotency keys, so a request that is tried again acts again. Here: expected 1.",
    "Skipped in teardown:\nnot proven: the target lacks x, and nothing else looks like expire.",
    "not proven: the target keeps no idempotency keys, so a request that is tried again acts again. Here: expected 2.",
    "Skipped in parent suite setup:\nnot proven: sql is not ours to kill; only the embedded studio is.",
]


def test_what_is_not_proven_is_grouped_by_its_cause(tmp_path: Path) -> None:
    found = [case(f"T-{n} b", "SKIP", message=message) for n, message in enumerate(UNPROVEN)]
    told = list(unproven.told(Results([case("T-9 a"), *found])))
    assert told[0] == "1 of 5 judged; 4 not proven:"
    assert told[1] == "  2 the target keeps no idempotency keys, so a request that is tried again acts again"
    assert "`idempotency: true`" in told[2]
    assert "  1 the target lacks x, and nothing else looks like expire" in told
    assert "  1 sql is not ours to kill; only the embedded studio is" in told
    text = written(tmp_path, case("T-9 a"), *found)
    assert "| 2 | the target keeps no idempotency keys" in text
    assert "Skipped in" not in text
    assert "Here:" not in text


def test_only_the_most_frequent_reasons_are_told_at_the_end() -> None:
    lacking = [case(f"T-{n} b", "SKIP", message=f"not proven: {n % 8}.") for n in range(9)]
    told = list(unproven.told(Results(lacking)))
    assert told[0] == "0 of 9 judged; 9 not proven:"
    assert told[1] == "  2 0"
    assert told[-1] == "  3 more for 3 other reasons; see the report."
    assert list(unproven.told(Results([case("T-1 a")]))) == []


def test_skipped_cases_are_not_counted_as_proof(tmp_path: Path) -> None:
    skipped = case("T-2 b", "SKIP", message="not proven: the target lacks x")
    text = written(tmp_path, case("T-1 a"), skipped)
    assert "- Skipped (not proven): 1 (50.00%)" in text
    assert "None of 1 cases judged" in text
    assert "| 1 | the target lacks x |" in text


def test_cases_that_did_not_run_are_named(tmp_path: Path) -> None:
    text = written(tmp_path, case("T-1 a"), case("T-2 b", "NOT RUN"), interrupted=True)
    assert "was interrupted" in text
    assert "- Not run: 1" in text
    assert "Run again: 1 cases" in text


def test_independent_draws_bound_the_rate(tmp_path: Path) -> None:
    (tmp_path / proof.DRAWS).write_bytes(b'{"draws": 1247, "failures": 0}')
    text = written(tmp_path, case("T-1 a"))
    assert "below 0.240% with 95% confidence and 0.919% with 99.999% confidence" in text
    assert "p = BetaInv(0.95; k + 1, n - k), k = 0 failed, n = 1,247 drawn = 1 - 0.05^(1/1247)" in text


def test_draws_of_another_run_say_nothing(tmp_path: Path) -> None:
    here, other = tmp_path / "20260102T", tmp_path / "20260101T"
    for place in (here, other):
        place.mkdir()
    (other / proof.DRAWS).write_bytes(b'{"draws": 1247, "failures": 0}')
    (other / proof.PROOF).write_bytes(proven())
    found = gathered(here, case("T-1 a"))
    assert found.draws is None, "it may have been another target"
    assert found.proof is not None, "it speaks about the suite"
    assert found.proof.run == other.name


@pytest.mark.parametrize("name", [proof.DRAWS, proof.PROOF])
@pytest.mark.parametrize("content", [b"{", b"[]", b'{"draws": "many"}'])
def test_malformed_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SuiteError, match=name):
        gathered(tmp_path, case("T-1 a"))


def test_half_written_proof_of_another_run_is_passed_over(tmp_path: Path) -> None:
    for name, content in (("20260101T", proven()), ("20260102T", b"{"), ("20260103T", b"")):
        (tmp_path / name).mkdir()
        (tmp_path / name / proof.PROOF).write_bytes(content)
    (tmp_path / "20260103T" / proof.PROOF).unlink()
    found = gathered(tmp_path / "20260103T", case("T-1 a"))
    assert found.proof is not None
    assert found.proof.run == "20260101T"
    assert words.power(found).endswith("this run was a part of it.")


def test_overlays_are_told_apart_and_one_mutant_hides_no_proof(tmp_path: Path) -> None:
    outcomes = ["killed", "not equivalent", "flaky kill", "equivalent", "broken"]
    overlays = [{"id": f"m{n}", "family": "lock", "outcome": o, "broke": ["I2"]} for n, o in enumerate(outcomes)]
    overlays += [
        {"id": f"c{n}", "family": "control", "outcome": o, "broke": []} for n, o in enumerate(("green", "red"))
    ]
    for name, content in (("20260101T", overlays), ("20260102T", overlays[:1]), ("20260103T", None)):
        (tmp_path / name).mkdir()
        if content:
            (tmp_path / name / proof.PROOF).write_bytes(orjson.dumps({"overlays": content}))
    found = gathered(tmp_path / "20260103T", case("T-1 a")).proof
    assert found is not None
    assert found.run == "20260101T"
    assert (found.total.killed, found.total.mutants) == (2, 4), "what could not be tried was not killed"
    assert [control["id"] for control in found.false_alarms] == ["c1"]


def test_equivalent_mutants_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / proof.PROOF).write_bytes(proven())
    found = gathered(tmp_path, case("T-1 a")).proof
    assert found is not None
    assert (found.total.killed, found.total.mutants, found.survivors) == (3, 3, [])
    assert found.families[0].detection == pytest.approx(0.05 ** (1 / 3))
    assert found.invariants == ["I2", "I13"]


def test_survivor_is_named(tmp_path: Path) -> None:
    (tmp_path / proof.PROOF).write_bytes(proven("killed survived"))
    text = written(tmp_path, case("T-1 a"))
    assert "Not found: m1. why" in text
    assert "| Lock removed | 1 | 2 | 2.5% | 0.0% |" in text


def ready(tmp_path: Path) -> facts.Facts:
    """Make a run for which every condition holds."""
    counts = {"planned": 1300, "flaky": 0, "lost": 0}
    arguments: dict[str, Any] = {"count": 1247, "processes": 20, "priority": False, "category": None, "overlays": []}
    covered = {"covered": 5, "possible": 5}
    table = {"coverage": {"pairs": covered, "triples": covered, "orders with 1 stop": covered}}
    (tmp_path / folder.TABLE).write_bytes(orjson.dumps(table))
    (tmp_path / "ledgers").mkdir(exist_ok=True)
    entry = {"test_id": "T-1", "planned": {"network": ["a"]}, "missing": []}
    (tmp_path / "ledgers" / "1.jsonl").write_bytes(orjson.dumps(entry))
    (tmp_path / "logs").mkdir(exist_ok=True)
    said = {"actor": "member", "repeated": False, "attempts": ["200"], "response": {"latency_ms": 12.5}}
    call = {"timestamp": "1", "test_id": "T-1", "step": 1, "action": "book", **said}
    (tmp_path / "logs" / "1.jsonl").write_bytes(orjson.dumps(call))
    (tmp_path / proof.PROOF).write_bytes(proven())
    (tmp_path / proof.DRAWS).write_bytes(b'{"draws": 300, "failures": 0}')
    return gathered(tmp_path, *[case(f"T-{n} a") for n in range(1300)], counts=counts, arguments=arguments)


def test_production_ready_when_every_condition_holds(tmp_path: Path) -> None:
    found = ready(tmp_path)
    assert [c.name for c in readiness.conditions(found) if not c.holds] == []
    text = markdown.write(found).read_text()
    assert "- The system in environment embedded is production-ready" in text
    assert "13 of 13 conditions" in text


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"results": Results([case("T-1 a", "FAIL", "p0"), case("T-2 a")])}, "No class is lost"),
        ({"results": Results([case("T-1 a", "FAIL"), case("T-2 a")])}, "No case fails"),
        ({"results": Results([case("T-1 a", "NOT RUN"), case("T-2 a")])}, "Every planned case came"),
        ({"results": Results([])}, "Every planned case came"),
        ({"results": Results([case("T-1 a", "SKIP"), case("T-2 a")])}, "Nothing is left unproven"),
        ({"table": {}}, "Every possible pair"),
        ({"table": {"coverage": {"orders with 1 stop": {"covered": 4, "possible": 5}}}}, "Every order"),
        ({"disturbances": {"network": {"cases": 1, "planned": 2, "fired": 1}}}, "Every planned disturbance"),
        ({"disturbances": {}}, "Every planned disturbance"),
        ({"calls": {"book": [9000.0]}}, "Every measure of performance"),
        ({"proof": None}, "The suite was seen"),
        ({"proof": proof.Proof("r", [], [])}, "The suite was seen"),
        ({"draws": None}, "Programs drawn at random"),
        ({"draws": proof.Draws(300, 1)}, "Programs drawn at random"),
    ],
)
def test_one_condition_less_and_nothing_is_ready(tmp_path: Path, change: dict[str, Any], broken: str) -> None:
    found = dataclasses.replace(ready(tmp_path), **change)
    assert [c.name for c in readiness.conditions(found) if not c.holds and c.name.startswith(broken)]
    assert "is production-ready" not in markdown.write(found).read_text()


@pytest.mark.parametrize(
    ("key", "value", "broken"),
    [
        ("priority", True, "The whole suite ran"),
        ("category", "edge", "The whole suite ran"),
        ("count", 100, "The whole suite ran"),
        ("processes", 2, "Every measure"),
        ("overlays", ["x.sql"], "The system ran as it is"),
    ],
)
def test_part_of_a_run_is_not_ready(tmp_path: Path, key: str, value: object, broken: str) -> None:
    found = ready(tmp_path)
    record = {**found.record, "arguments": {**found.record["arguments"], key: value}}
    changed = readiness.conditions(dataclasses.replace(found, record=record))
    assert [c.name.startswith(broken) for c in changed if not c.holds] == [True]


def test_flaky_run_is_not_ready(tmp_path: Path) -> None:
    found = ready(tmp_path)
    record = {**found.record, "counts": {**found.record["counts"], "flaky": 13}}
    changed = readiness.conditions(dataclasses.replace(found, record=record))
    assert [c.name for c in changed if not c.holds] == ["Flakiness is below 1%"]


def test_heat_counts_what_the_generator_counts() -> None:
    table = generator.generate(count=60, seed=3)
    found = heat.grids(table, [case(f"{record['test_id']} a") for record in table["cases"]])
    plan = generator.matrix.load()
    pairs = {p for p in generator.coverage.feasible(plan, list(plan.actions.values())) if len(p) == 2}
    pairs_without_user = [pair for pair in pairs if "user" not in dict(pair)]
    grids = [grid for names, grid in found.items() if "class" not in names]
    assert sum(grid.possible for grid in grids) == len(pairs_without_user)
    assert all(sum(cell.cases for cell in grid.cells.values()) == 60 for grid in found.values())
    assert all(cell.possible for grid in found.values() for cell in grid.cells.values() if cell.cases)


def test_heat_shows_where_failures_gather() -> None:
    table = generator.generate(count=60, seed=3)
    cases = [
        case(f"{record['test_id']} a", "FAIL" if record["device"] == "ios" else "PASS") for record in table["cases"]
    ]
    found = heat.grids(table, cases)
    level, cell = found["device", "timezone"].worst or pytest.fail("nothing failed")
    assert level[0] == "ios"
    assert cell.share == 1.0
    assert heat.grids({}, cases) == {}


def test_verdicts_in_words(tmp_path: Path) -> None:
    titles = [
        words.verdict(gathered(tmp_path, *cases)).title
        for cases in (
            [case("T-1 a")],
            [case("T-1 a", "FAIL", "p0")],
            [case("T-1 a", "FAIL")],
            [case("T-1 a"), case("T-2 a", "NOT RUN")],
            [case("T-1 a", "SKIP")],
        )
    ]
    assert titles == [
        "No class was lost",
        "Classes are lost",
        "Something is wrong",
        "Not finished",
        "Nothing was judged",
    ]


def test_github_gets_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = writing.write(tmp_path, gathered(tmp_path, case("T-1 a")).results)
    summary = tmp_path / "summary.md"
    monkeypatch.delenv(writing.SUMMARY, raising=False)
    writing.step_summary(reports)
    assert not summary.exists()
    summary.write_text("before\n")
    monkeypatch.setenv(writing.SUMMARY, str(summary))
    writing.step_summary(reports)
    assert summary.read_text().startswith("before\n# Pilates Booking - 3 Test Results")
    assert reports.dashboard is None, "there is no output.xml to keep"
    reports.text.write_bytes(b"line\n" * writing.MOST_BYTES)
    writing.step_summary(reports)
    assert summary.stat().st_size < writing.MOST_BYTES + 10_000
