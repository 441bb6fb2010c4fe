"""Writes final-report.md: the seed's sections, filled with what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.report import readiness, unproven, words
from tools.report.facts import Facts
from tools.report.proof import Proof
from tools.report.results import Case

FILE = "final-report.md"
MOST_LISTED = 50
MOST_SLOW = 5


def write(facts: Facts) -> Path:
    """Write the report of a run into its folder, and return its path."""
    sections = (
        _title(facts.record),
        _summary(facts),
        _findings(facts),
        _coverage(facts),
        _p0(facts),
        _others(facts),
        _rerun(facts),
        _performance(facts),
        _machines(facts.record),
        _figures(facts),
        _power(facts.proof),
        _slowest(facts),
        _recommendations(facts),
    )
    path = facts.where / FILE
    path.write_text("\n".join(line for section in sections for line in (*section, "")), encoding="utf-8")
    return path


def _title(record: dict[str, Any]) -> Iterator[str]:
    yield f"# Pilates Booking - {record['counts']['planned']:,} Test Results"
    yield ""
    environment, seed = record["environment"]["name"], record["seed"]
    yield f"Run {record['run']}, {record['started']}, environment {environment}, seed {seed}."
    overlays = record["arguments"].get("overlays")
    if overlays:
        yield ""
        yield f"**SQL was put over the studio: {', '.join(Path(path).name for path in overlays)}.**"
    for sentence in words.shards(record):
        yield ""
        yield f"**{sentence}**"
    if record["interrupted"]:
        yield ""
        yield "**The run was interrupted.** What follows is about the cases that had come to an end."


def _summary(facts: Facts) -> Iterator[str]:
    counts, total, verdict = facts.results.counts, len(facts.results.cases), words.verdict(facts)
    yield "## Executive Summary"
    yield ""
    yield f"**{verdict.title}.** {verdict.text}"
    yield ""
    yield f"- Total Tests: {total:,}"
    yield f"- Passed: {_share(counts['PASS'], total)}"
    yield f"- Failed: {_share(counts['FAIL'], total)}"
    yield f"- Skipped (not proven): {_share(counts['SKIP'], total)}"
    if facts.missing:
        yield f"- Not run: {facts.missing:,}"
    yield f"- Flaky: {_share(facts.record['counts']['flaky'], total)}"
    yield f"- P0 Failures: {len(facts.results.p0):,}"
    yield f"- Confidence: {words.confidence(facts)}"
    yield f"- Power: {words.power(facts)}"


def _findings(facts: Facts) -> Iterator[str]:
    """List the distinct defects, the gravest first."""
    if not facts.findings:
        return
    yield "## Findings"
    yield ""
    red = words.counted(len(facts.results.failures), "failed case")
    told = "A case ends at the first promise that is broken: mending the gravest may bring others to light."
    yield f"{red}, {words.counted(len(facts.findings), 'finding')}. {told}"
    for one in facts.findings:
        yield ""
        yield f"### {one.id} {one.severity} {one.title}"
        yield ""
        yield f"- What does not hold: **{one.name}** ({one.invariant}). {one.first.sentence.strip()}"
        yield f"- How often: {one.failed} of {one.tried} cases that did this; it explains {len(one.cases)} in all."
        for name, sentence in one.consequences.items():
            yield f"- Breaks along with it: {name}, {sentence}"
        if one.explains:
            yield f"- Why, most likely: {one.explains.strip()}"
        if one.because:
            yield f"- What speaks for it: {one.because}."
        for other in one.alternatives:
            yield f"- As likely: {other}"
        if one.fix:
            yield f"- What would mend it: {one.fix.strip()}"
        if one.sql:
            yield ""
            yield from ("      " + line for line in one.sql.splitlines())
            yield ""
        if (facts.where / one.evidence).is_dir():
            yield f"- See it: `{one.evidence}/`, and `python3 tools/pilates.py replay {one.first.case.id}`."


def _coverage(facts: Facts) -> Iterator[str]:
    yield "## Test Coverage"
    yield ""
    yield from _table(
        ("Category", "Tests", "Passed", "Failed", "Skipped", "Not run"),
        (
            (words.words(name), counts.total(), counts["PASS"], counts["FAIL"], counts["SKIP"], counts["NOT RUN"])
            for name, counts in sorted(facts.results.by_category().items())
        ),
    )
    if facts.coverage:
        yield ""
        for name, count in facts.coverage.items():
            share = words.percent(count["covered"], count["possible"])
            yield f"- {words.words(name)}: {count['covered']:,} of {count['possible']:,} possible ({share})"
    if facts.disturbances:
        yield ""
        yield "Disturbances planned, and seen to take place; one that did not fails its case as not exercised:"
        yield ""
        rows = ((words.words(k), c["cases"], c["planned"], c["fired"]) for k, c in facts.disturbances.items())
        yield from _table(("Where", "Cases", "Planned", "Fired"), rows)
    reasons = unproven.of(facts.results)
    if reasons:
        yield ""
        yield "Not proven, by reason:"
        yield ""
        why = [(one.count, one.cause.replace("|", "\\|"), one.unlocked_by or "-") for one in reasons]
        yield from _table(("Cases", "Why", "Unlocked by"), tuple(why))
    choices = facts.results.choices()
    if choices:
        yield ""
        yield "Chosen by this system where a studio may choose (`policies`, `access` of its environment); no findings:"
        yield ""
        yield from (f"- {choice}" for choice in choices)


def _p0(facts: Facts) -> Iterator[str]:
    yield "## P0 Failures"
    yield ""
    yield from _listed(facts.where, facts.results.p0) if facts.results.p0 else ("(None detected)",)


def _others(facts: Facts) -> Iterator[str]:
    others = [case for case in facts.results.failures if not case.is_p0]
    if others:
        yield "## Other Failures"
        yield ""
        yield from _listed(facts.where, others)


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


def _rerun(facts: Facts) -> Iterator[str]:
    """Say what running the failed cases again made of them."""
    if not facts.verdicts:
        return
    yield "## Failed Cases Run Again"
    yield ""
    yield (
        "Same seed, same rows. Deterministic: fails each time. Race: broke an invariant in some of its runs, and stays"
        " a failure. Flaky: failed without breaking one, then passed. Environment: never reached the target."
    )
    yield ""
    rows = ((v["test_id"], v["kind"], f"{v['failed']} of {v['runs']}") for v in facts.verdicts)
    yield from _table(("Case", "Kind", "Failed"), tuple(rows))


def _slowest(facts: Facts) -> Iterator[str]:
    """Set the slowest cases beside the machine at that moment."""
    if not facts.samples:
        return
    yield "## Slowest Cases"
    yield ""
    rows = []
    for case in sorted(facts.results.cases, key=lambda case: -case.seconds)[:MOST_SLOW]:
        sample = facts.beside(case)
        said = [sample.get(name, "-") for name in ("cpu_percent", "load", "active", "lock_waits")]
        rows.append((case.name, f"{case.seconds:.2f} s", *(str(value) for value in said)))
    yield from _table(("Case", "Took", "CPU %", "Load", "Active connections", "Lock waits"), tuple(rows))


def _performance(facts: Facts) -> Iterator[str]:
    yield "## Performance"
    yield ""
    yield from _table(
        ("Metric", "Target", "Acceptable", "Measured", "Verdict"),
        tuple((m.name, m.target, m.acceptable, m.measured, m.verdict) for m in facts.performance),
    )
    yield ""
    yield (
        "The latency is what a client waits for an answer, retries and injected delays included; no database query of a"
        " call takes longer."
    )


def _machines(record: dict[str, Any]) -> Iterator[str]:
    """List the machines of a merged run."""
    machines = record.get("machines")
    if not machines:
        return
    yield "## Machines"
    yield ""
    yield "They ran at the same time: the duration is that of the slowest, the workers are those of all."
    yield ""
    head = ("Shard", "Machine", "Cores", "Workers", "Cases", "Took", "CPU %", "At most", "Load at most")
    yield from _table(head, tuple(tuple(row) for row in words.machines(machines)))


def _figures(facts: Facts) -> Iterator[str]:
    yield "## Figures"
    yield ""
    yield from _table(
        ("Figure", "Value", "From", "In words"),
        tuple((one.name, one.value, one.formula, one.meaning) for one in words.figures(facts)),
    )


def _power(proof: Proof | None) -> Iterator[str]:
    """Say per family of defects what the suite finds, and what a green run is worth."""
    if proof is None or not proof.judged:
        return
    yield "## What a Green Run Excludes"
    yield ""
    yield from _table(
        ("Family of defects", "Killed", "Mutants", "Found at least", "Excluded by a green run"),
        tuple(
            (words.words(f.name), f.killed, f.mutants, f"{f.detection:.1%}", f"{f.confidence:.1%}")
            for f in (*proof.families, proof.total)
        ),
    )
    yield ""
    yield f"{words.DETECTION} Measured in run {proof.run}."
    for mutant in proof.survivors:
        yield ""
        yield f"Not found: {mutant['id']}. {mutant.get('reason') or ''}".rstrip()


def _recommendations(facts: Facts) -> Iterator[str]:
    yield "## Recommendations"
    yield ""
    counts, found = facts.results.counts, readiness.conditions(facts)
    if facts.results.p0:
        yield "- Do not release: classes are lost or data contradict each other. Begin with the first P0 above."
    elif counts["FAIL"]:
        yield "- Mend the failures above before a release; no class was lost in them."
    if facts.missing:
        yield f"- Run again: {facts.missing:,} cases did not come to an end, and nothing is known about them."
    if counts["SKIP"]:
        yield f"- {counts['SKIP']:,} cases prove nothing here, for the reasons under Test Coverage."
    if not counts["FAIL"] and not facts.missing:
        yield "- No failure was found in the cases that were judged; what that is worth stands under Confidence."
    if readiness.ready(found):
        name = facts.record["environment"]["name"]
        yield f"- The system in environment {name} is production-ready, as far as this suite can tell."
    yield ""
    yield f"{sum(condition.holds for condition in found)} of {len(found)} conditions for a release hold:"
    yield ""
    yield from (f"- [{'x' if one.holds else ' '}] {one.name} ({one.found})" for one in found)


def _table(head: tuple[str, ...], rows: Iterator[tuple[Any, ...]] | tuple[tuple[Any, ...], ...]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |"


def _share(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.2%})" if total else "0"
