"""What a run has found: report, analyze, replay."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from acceptance.errors import SuiteError
from tools.commands.options import examples

app = typer.Typer()


@app.command(epilog=examples("report", "report 20251024T101500Z-1a2b", "report --merge from-machine-1 from-machine-2"))
def report(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="A run's name or folder; with --merge all shards'.")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Join the shards of a run to a new run's folder.")] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Merge without some of the shards; never a pass.")
    ] = False,
) -> None:
    """Write a run's final report again, from what is stored of it: as text, as a page, and the history over runs.

    With --merge: exit codes as the whole run's, 0 all passed, 1 failures found, 2 could not run or shards missing.
    """
    from tools.report import writing
    from tools.run import folder

    if allow_missing and not merge:
        raise SuiteError("--allow-missing goes with --merge only.")
    if merge:
        from tools.report import merge as joining

        if not names:
            raise SuiteError("--merge: name the folders of all shards.")
        raise typer.Exit(joining.run(names, Console(), allow_missing=allow_missing))
    if len(names or ()) > 1:
        raise SuiteError("report writes one run's report; to join the shards of a run say --merge.")
    for line in writing.lines(writing.write(folder.find(names[0] if names else folder.LATEST))):
        print(line)


@app.command(epilog=examples("analyze", "analyze 20251024T101500Z-1a2b"))
def analyze(
    name: Annotated[str, typer.Argument(metavar="[RUN]", help="A run's name or folder.")] = "latest",
) -> None:
    """List the findings of a run, with what their cases share, and the slowest calls."""
    from tools.report import analysis
    from tools.run import folder

    print(analysis.tell(folder.find(name), Console()))


@app.command(
    epilog=examples("replay T-000001", "replay T-CONC-001 --repeat 20", "replay T-000001 --run results/latest")
)
def replay(
    test_id: Annotated[str, typer.Argument(metavar="TEST_ID", help="For example T-000001.")],
    run: Annotated[str, typer.Option(metavar="RUN", help="The run that the case is taken from.")] = "latest",
    repeat: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How often.")] = 1,
) -> None:
    """Run one case of an earlier run again: same seed, same rows, same order, everything logged."""
    from tools.run.replay import replay as again

    raise typer.Exit(again(test_id, run, repeat, Console()))
