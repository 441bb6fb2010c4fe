"""Writes final-report.md: the seed's sections, filled with what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tools.report import logs
from tools.report.figures import CONFIDENCE, failure_bound, latencies, percentile
from tools.report.results import Case, Results, read
from tools.run import folder, machine, reruns

MOST_LISTED = 50
MOST_SLOW = 5


def write(where: Path, results: Results | None = None) -> Path:
    """Write the report of a run from what is stored in its folder.

    Args:
        where: the run's folder.
        results: what came of the cases; read from output.xml where it is not at hand.

    Returns:
        The report's path.
    """
    record = orjson.loads((where / folder.RECORD).read_bytes())
    results = results or read(where / folder.OUTPUT)
    logs.merge(where)
    table = where / folder.TABLE  # not there when no case was generated
    coverage = orjson.loads(table.read_bytes())["coverage"] if table.is_file() else {}
    sections = (
        _title(record),
        _summary(record, results),
        _coverage(where, results, coverage),
        _p0(where, results),
        _others(where, results),
        _rerun(where),
        _performance(where, record, results),
        _slowest(where, results),
        _recommendations(record, results),
    )
    path = where / "final-report.md"
    path.write_text("\n".join(line for section in sections for line in (*section, "")), encoding="utf-8")
    return path


def _title(record: dict[str, Any]) -> Iterator[str]:
    yield f"# Pilates Booking - {record['counts']['planned']:,} Test Results"
    yield ""
    environment, seed = record["environment"]["name"], record["seed"]
    yield f"Run {record['run']}, {record['started']}, environment {environment}, seed {seed}."
    if record["interrupted"]:
        yield ""
        yield "**The run was interrupted.** What follows is about the cases that had come to an end."


def _summary(record: dict[str, Any], results: Results) -> Iterator[str]:
    counts, total = results.counts, len(results.cases)
    bound = failure_bound(counts["FAIL"], results.judged)
    yield "## Executive Summary"
    yield ""
    yield f"- Total Tests: {total:,}"
    yield f"- Passed: {_share(counts['PASS'], total)}"
    yield f"- Failed: {_share(counts['FAIL'], total)}"
    yield f"- Skipped (not proven): {_share(counts['SKIP'], total)}"
    if counts["NOT RUN"] or record["counts"]["lost"]:
        yield f"- Not run: {counts['NOT RUN'] + record['counts']['lost']:,}"
    yield f"- Flaky: {_share(record['counts']['flaky'], total)}"
    yield f"- P0 Failures: {len(results.p0):,}"
    yield f"- Confidence: {_sentence(counts['FAIL'], results.judged, bound)}"
    yield ""
    yield (
        f"The bound is exact (Clopper-Pearson, one-sided, {CONFIDENCE:.0%}): the rate p at which seeing at most"
        f" x = {counts['FAIL']} failures in n = {results.judged} cases has probability {1 - CONFIDENCE:.2f}, that is"
        f" p = BetaInv({CONFIDENCE}; x + 1, n - x)"
        + (f" = 1 - {1 - CONFIDENCE:.2f}^(1/{results.judged})." if not counts["FAIL"] else ".")
        + " It speaks about cases like these, drawn the way these were, and about this state of the system."
    )


def _sentence(failed: int, judged: int, bound: float) -> str:
    if not judged:
        return "none; no case was judged"
    found = "none failed" if not failed else f"{failed} failed"
    return f"of {judged:,} cases judged {found}; with {CONFIDENCE:.0%} confidence the failure rate is below {bound:.2%}"


def _coverage(where: Path, results: Results, coverage: dict[str, Any]) -> Iterator[str]:
    yield "## Test Coverage"
    yield ""
    yield from _table(
        ("Category", "Tests", "Passed", "Failed", "Skipped", "Not run"),
        (
            (_words(name), counts.total(), counts["PASS"], counts["FAIL"], counts["SKIP"], counts["NOT RUN"])
            for name, counts in sorted(results.by_category().items())
        ),
    )
    if coverage:
        yield ""
        yield from _combinations(coverage)
    disturbed = logs.disturbances(where)
    if disturbed:
        yield ""
        yield "Disturbances planned, and seen to take place; one that did not fails its case as not exercised:"
        yield ""
        rows = ((_words(kind), c["cases"], c["planned"], c["fired"]) for kind, c in disturbed.items())
        yield from _table(("Where", "Cases", "Planned", "Fired"), rows)
    reasons = sorted({case.cause for case in results.of("SKIP")})
    if reasons:
        yield ""
        yield "Skipped, and therefore not proven:"
        yield ""
        yield from (f"- {reason}" for reason in reasons)


def _combinations(coverage: dict[str, Any]) -> Iterator[str]:
    """Say how many of the possible combinations of levels the generated cases contain."""
    for name, figures in coverage.items():
        if isinstance(figures, dict) and {"covered", "possible"} <= figures.keys():
            share = figures["covered"] / figures["possible"] if figures["possible"] else 1.0
            yield f"- {_words(name)}: {figures['covered']:,} of {figures['possible']:,} possible ({share:.2%})"


def _p0(where: Path, results: Results) -> Iterator[str]:
    yield "## P0 Failures"
    yield ""
    yield from _listed(where, results.p0) if results.p0 else ("(None detected)",)


def _others(where: Path, results: Results) -> Iterator[str]:
    others = [case for case in results.failures if not case.is_p0]
    if others:
        yield "## Other Failures"
        yield ""
        yield from _listed(where, others)


def _listed(where: Path, cases: list[Case]) -> Iterator[str]:
    for case in cases[:MOST_LISTED]:
        yield f"### {case.name}"
        yield ""
        yield "```text"
        yield case.message.strip().replace("```", "'''")
        yield "```"
        yield ""
        if (where / "failures" / case.id).is_dir():
            yield f"What happened, why, and how to make it happen again: `failures/{case.id}/`."
            yield ""
    if len(cases) > MOST_LISTED:
        yield f"{len(cases) - MOST_LISTED:,} more stand in `report.html`."


def _rerun(where: Path) -> Iterator[str]:
    """Say what running the failed cases again made of them."""
    verdicts = orjson.loads((where / reruns.FILE).read_bytes()) if (where / reruns.FILE).is_file() else []
    if not verdicts:
        return
    yield "## Failed Cases Run Again"
    yield ""
    yield (
        "Same seed, same rows. Deterministic: fails each time. Race: broke an invariant in some of its runs, and stays"
        " a failure. Flaky: failed without breaking one, then passed. Environment: never reached the target."
    )
    yield ""
    rows = ((v["test_id"], v["kind"], f"{v['failed']} of {v['runs']}") for v in verdicts)
    yield from _table(("Case", "Kind", "Failed"), tuple(rows))


def _slowest(where: Path, results: Results) -> Iterator[str]:
    """Set the slowest cases beside the machine at that moment."""
    found = machine.samples(where)
    if not found:
        return
    yield "## Slowest Cases"
    yield ""
    rows = []
    for case in sorted(results.cases, key=lambda case: -case.seconds)[:MOST_SLOW]:
        sample = machine.at(case.started, found) if case.started else {}
        said = [sample.get(name, "-") for name in ("cpu_percent", "load", "active", "lock_waits")]
        rows.append((case.name, f"{case.seconds:.2f} s", *(str(value) for value in said)))
    yield from _table(("Case", "Took", "CPU %", "Load", "Active connections", "Lock waits"), tuple(rows))


def _performance(folder: Path, record: dict[str, Any], results: Results) -> Iterator[str]:
    seconds, workers = record["seconds"], record["arguments"]["processes"]
    latency = percentile(latencies(folder), 0.99)
    rate = len(results.cases) / seconds if seconds else 0.0
    flaky = record["counts"]["flaky"] / len(results.cases) if results.cases else 0.0
    measured = "-" if latency is None else f"{latency / 1000:.3f} s"
    yield "## Performance"
    yield ""
    yield from _table(
        ("Metric", "Measured", "Target", "Acceptable", "Verdict"),
        (
            ("Total test duration", f"{seconds:,.1f} s", "< 60 min", "< 120 min", _below(seconds, 3600, 7200)),
            ("Tests per second", f"{rate:.1f}", "> 1", "> 0.5", _below(-rate, -1, -0.5)),
            ("Call latency (p99)", measured, "< 2 s", "< 5 s", _below(latency, 2000, 5000)),
            ("Test flakiness rate", f"{flaky:.2%}", "< 1%", "< 5%", _below(flaky, 0.01, 0.05)),
            ("Parallel test workers", workers, "20-50", "10", _below(-workers, -20, -10)),
        ),
    )
    yield ""
    yield (
        "Call latency is what a client waits for an answer, retries and injected delays included; no database query"
        " of a call can take longer."
    )


def _below(value: float | None, target: float, acceptable: float) -> str:
    if value is None:
        return "-"
    if value <= target:
        return "target met"
    return "acceptable" if value <= acceptable else "missed"


def _recommendations(record: dict[str, Any], results: Results) -> Iterator[str]:
    yield "## Recommendations"
    yield ""
    counts = results.counts
    missing = counts["NOT RUN"] + record["counts"]["lost"]
    if results.p0:
        yield "- Do not release: classes are lost or data contradict each other. Begin with the first P0 above."
    elif counts["FAIL"]:
        yield "- Mend the failures above before a release; no class was lost in them."
    if missing:
        yield f"- Run again: {missing:,} cases did not come to an end, and nothing is known about them."
    if counts["SKIP"]:
        yield f"- {counts['SKIP']:,} cases prove nothing here, for the reasons under Test Coverage."
    if not counts["FAIL"] and not missing:
        yield "- No failure was found in the cases that were judged; what that is worth stands under Confidence."


def _table(head: tuple[str, ...], rows: Iterator[tuple[Any, ...]] | tuple[tuple[Any, ...], ...]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |"


def _share(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.2%})" if total else "0"


def _words(name: str) -> str:
    return name.replace("-", " ").replace("_", " ").capitalize()
