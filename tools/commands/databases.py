"""One system and its database: verify-db, reconcile, clean, serve, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tools.commands.options import COULD_NOT_RUN, OF_SQL, Env, Overlay, Sql, examples

app = typer.Typer()


@app.command("verify-db", epilog=examples("verify-db", "verify-db --env production --output findings"))
def verify_db(
    env: Env = "embedded",
    output: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write JSON and CSV there.")] = None,
) -> None:
    """Check a whole database, read-only: lost classes, overbooked classes, rows that dangle, a stale calendar."""
    from tools import verifying

    raise typer.Exit(verifying.verify(env, output, Console()))


@app.command(epilog=examples("reconcile", "reconcile --env production --output findings"))
def reconcile(
    env: Env = "embedded",
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write JSON, CSV and the proposal there.")
    ] = None,
) -> None:
    """Say which members lost or gained how many classes, and propose SQL that would mend it; it is never run."""
    from tools import verifying

    raise typer.Exit(verifying.reconcile(env, output, Console()))


@app.command(epilog=examples("clean", "clean --env staging", "clean --env staging --run NAME", "clean --results"))
def clean(
    env: Env = "embedded",
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Only this run's rows, while other machines are at work.")
    ] = None,
    results: Annotated[bool, typer.Option("--results", help="Remove old runs' folders instead of rows.")] = False,
) -> None:
    """Remove the rows that stopped runs left in a database, or all runs' folders but the latest."""
    from tools import cleanup

    for line in cleanup.old_results() if results else cleanup.rows_of(env, run):
        print(line)


@app.command(epilog=examples("serve", "serve --overlay tools/mutants/refund-twice.sql", "serve --sql schema.sql"))
def serve(overlay: Overlay = None, sql: Sql = None) -> None:
    """Keep the embedded studio, or SQL of your own, running, for example to try requests by hand; Ctrl-C ends it."""
    from tools import serving

    serving.until_interrupted(overlay or [], OF_SQL if sql else "embedded", sql or [])


@app.command(epilog=examples("doctor", "doctor --env staging", "doctor --sql schema.sql --sql functions.sql"))
def doctor(env: Env = "embedded", sql: Sql = None) -> None:
    """Look whether everything that a run needs is there, and say what is not; writes nothing."""
    from tools import health

    env = OF_SQL if sql and env == "embedded" else env
    raise typer.Exit(0 if health.tell(env, sql or ()) else COULD_NOT_RUN)
