"""The suite itself: bench, docs, selftest."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer
from rich.console import Console

from tools.commands.options import COULD_NOT_RUN, MOST_CASES, MOST_WORKERS, examples

app = typer.Typer()


@app.command(epilog=examples("bench --quick", "bench --count 1247 --workers 4 --rounds 1", "bench --latency 100"))
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="247 cases by 2 workers, in about 2 minutes.")] = False,
    count: Annotated[list[int] | None, typer.Option(min=1, max=MOST_CASES, metavar="N", help="Cases.")] = None,
    workers: Annotated[list[int] | None, typer.Option(min=1, max=MOST_WORKERS, metavar="N", help="Workers.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, metavar="N", help="How often each; the medians count.")] = None,
    latency: Annotated[
        int | None, typer.Option(min=1, metavar="MS", help="Instead: a system so far away, by 2, 20 and 50 workers.")
    ] = None,
) -> None:
    """Measure the suite's speed beside the same cases without Robot Framework, in turn; see tools/bench."""
    from tools.bench import far, job

    console = Console()
    if latency:
        far.bench(latency, console)
        return
    plan = job.QUICK if quick else job.WHOLE
    counts, numbers = tuple(count or plan.counts), tuple(workers or plan.workers)
    records = job.bench(job.Plan(counts, numbers, rounds or plan.rounds), console)
    job.show(records, console)
    job.keep(records, job.RESULT)


@app.command(epilog=examples("docs"))
def docs() -> None:
    """Write what can be said in a scenario, and what the scenarios say, as pages to read (Libdoc, Testdoc)."""
    from tools import docs

    print(f"Open {docs.write()}")


@app.command(
    epilog=examples("selftest", "selftest -k generator", "selftest -x --durations 10"),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def selftest(context: typer.Context) -> None:
    """Test the suite itself: style of every file, dry run, units, studio, and a small run; takes pytest's options."""
    from acceptance import embedded
    from acceptance.datafiles import ROOT

    # Tests wait nearly as much as they compute: three at a time, those of one group (conftest.py) one after the other.
    command = [sys.executable, "-m", "pytest", "-n", "3", "--dist", "loadgroup", *context.args]
    # They make tens of thousands of files, in copies of the project and in runs.
    environment = {"PYTEST_DEBUG_TEMPROOT": str(embedded.temporary()), **os.environ}
    code = subprocess.call(command, cwd=ROOT, env=environment)  # noqa: S603 - our own tests
    raise typer.Exit(code if code in (0, 1) else COULD_NOT_RUN)
