"""What a person is told at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

from tools.report import unproven
from tools.run.record import Run

MOST_P0_SHOWN = 10


def summary(run: Run) -> Iterator[str]:
    """Say in a few lines what came of a run."""
    counts, planned, cases = run.results.counts, len(run.planned), run.results.cases
    yield ""
    yield (
        f"{counts['PASS']} of {planned} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped (not proven),"
        f" in {run.seconds:.1f} s: {len(cases) / run.seconds:.1f} a second."
    )
    yield from unproven.told(run.results)
    p0 = run.results.p0
    if p0:
        yield f"{len(p0)} P0 failures:"
        yield from (f"  {case.name}: {case.cause}" for case in p0[:MOST_P0_SHOWN])
        if len(p0) > MOST_P0_SHOWN:
            yield f"  and {len(p0) - MOST_P0_SHOWN} more."
    yield from _missing(run)
    if cases:
        yield f"Log:    {run.folder / 'log.html'}"


def _missing(run: Run) -> Iterator[str]:
    """Say which cases nothing is known about, and why."""
    lost, not_run = run.lost, run.results.of("NOT RUN")
    if run.interrupted:
        kept = "the others are kept" if run.results.cases else "logs and snapshots of the others are kept"
        yield f"Interrupted: {len(not_run) + len(lost)} cases did not come to an end; {kept}."
        return
    if not_run:
        reasons = [case.cause for case in not_run if not case.cause.startswith("Test execution stopped")]
        yield f"{len(not_run)} cases were not run: {(reasons or [not_run[0].cause])[0]}"
    if not run.results.cases:
        yield f"No results: pabot ended without any; its last words stand in {run.folder / 'pabot.log'}."
    elif lost:
        where = run.folder / "pabot_results"
        why = f"lost, a worker died; see {where}" if where.is_dir() else "without a result"
        yield f"{len(lost)} cases are {why}. The first one: {min(lost)}."
