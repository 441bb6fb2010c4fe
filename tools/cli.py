"""The commands of tools/pilates.py; each does its work elsewhere and is loaded only when it is called."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from acceptance.errors import SuiteError

PROGRAM = "python3 tools/pilates.py"
ROOT = Path(__file__).resolve().parent.parent
COULD_NOT_RUN = 2
INTERRUPTED = 130  # Typer's own for Ctrl-C
MOST_CASES = 20_000
MOST_WORKERS = 200
MOST_USERS = 20_000
DEFAULT_COUNT = 1247
DEFAULT_SEED = 20251024
OF_SQL = "sql"  # the environment of `run --sql`


def examples(*lines: str) -> str:
    """Make the examples at the end of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {PROGRAM} {line}" for line in lines)


app = typer.Typer(
    help="Does a booking system ever lose a class? 1,247 generated end-to-end cases look for it.",
    epilog=examples("run", "run --count 100 --processes 4", "report", "serve", "selftest")
    + "\n\nExit codes: 0 all passed, 1 failures found, 2 could not run.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Count = Annotated[int, typer.Option(min=1, max=MOST_CASES, metavar="N", help="How many cases to generate.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same cases.")]
Full = Annotated[bool, typer.Option("--full", help="Every combination of user, device, time zone, action and state.")]
Category = Annotated[str | None, typer.Option(metavar="NAME", help="Only this category of data/test_matrix.yaml.")]
Env = Annotated[str, typer.Option(metavar="NAME", help="An environment of data/environments.yaml.")]
Overlay = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="SQL that breaks the embedded studio on purpose; may be given several times."),
]


Sql = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="Your own schema, in an embedded PostgreSQL; may be given several times, in order."
    ),
]


@app.callback()
def everywhere(
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Write nothing anywhere: commands that would write refuse.")
    ] = False,
    on_production: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Allow rows to be written to this environment although it is production."),
    ] = None,
) -> None:
    """Does a booking system ever lose a class? 1,247 generated end-to-end cases look for it."""
    from acceptance import environment

    if read_only:
        os.environ[environment.READ_ONLY] = "yes"
    if on_production:
        os.environ[environment.ON_PRODUCTION] = on_production


@app.command(epilog=examples("generate", "generate --count 2000 --seed 7", "generate --category concurrency"))
def generate(
    count: Count = DEFAULT_COUNT,
    seed: Seed = DEFAULT_SEED,
    full: Full = False,
    category: Category = None,
    env: Env = "embedded",
) -> None:
    """Write the cases: a JSON table, and the Robot Framework suites made from it."""
    from acceptance import environment
    from tools.run import cases

    environment.load(env)
    with cases.alone():
        table, path = cases.generate(cases.Wish(count, seed, env, category, full))
    print(f"{len(table['cases'])} cases: {path}")
    print(f"Suites: {cases.GENERATED}")


@app.command(
    epilog=examples(
        "run",
        "run --count 100",
        "run --priority",
        "run --category concurrency --processes 8",
        "run --draws 1247",
        "run --shard 2/5",
        "run --overlay tools/mutants/refund-twice.sql",
        "run --sql schema.sql --sql functions.sql",
    )
)
def run(
    count: Count = DEFAULT_COUNT,
    seed: Seed = DEFAULT_SEED,
    full: Full = False,
    category: Category = None,
    env: Env = "embedded",
    processes: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_WORKERS, metavar="N", help="Parallel workers.", show_default="three a core, at most 24"
        ),
    ] = min(24, 3 * (os.cpu_count() or 1)),  # a case waits most of its time
    priority: Annotated[bool, typer.Option("--priority", help="Only the scenarios written by hand.")] = False,
    draws: Annotated[
        int, typer.Option(min=0, max=1_000_000, metavar="N", help="Programs drawn at random as well (see `random`).")
    ] = 0,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only this part; the same seed on each of N machines runs all.")
    ] = None,
    pabotlib: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="A PabotLib server that your own keywords share between machines."),
    ] = None,
    overlay: Overlay = None,
    sql: Sql = None,
) -> None:
    """Generate the cases, run them in parallel, and write log and report into results/latest."""
    from tools.run import job, shards
    from tools.run.record import Arguments

    if priority and (category or full):
        raise SuiteError("--priority runs what is written by hand; it does not go with --category or --full.")
    if pabotlib is not None and not re.fullmatch(r"[^\s:]+:[0-9]{1,5}", pabotlib):
        raise SuiteError(f"--pabotlib {pabotlib}: say host and port, for example 10.0.0.5:8270.")
    env = OF_SQL if sql and env == "embedded" else env
    part, files = shards.parse(shard), tuple(sql or ())
    wanted = Arguments(
        count, seed, env, processes, category, priority, full, tuple(overlay or ()), draws, part, pabotlib, files
    )
    raise typer.Exit(job.run(wanted, Console()))


@app.command(
    epilog=examples(
        "load",
        "load --users 200 --time 5m --workers 4",
        "load --traffic rush --overlay tools/mutants/book-without-lock.sql",
        "load --sql schema.sql --sql functions.sql",
        "load --env staging --expect-workers 2",
        "load --env staging --worker --master-host 10.0.0.5",
    )
)
def load(
    env: Env = "embedded",
    users: Annotated[int, typer.Option(min=1, max=MOST_USERS, metavar="N", help="Users at the same time.")] = 50,
    spawn_rate: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="N", help="Users that join each second.", show_default="half of them"),
    ] = None,
    time: Annotated[str, typer.Option(metavar="30s", help="How long; 0 runs until Ctrl-C.")] = "30s",
    members: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_USERS, metavar="N", show_default="4 for 5 users", help="Members to make."),
    ] = None,
    classes: Annotated[int, typer.Option(min=1, max=2000, metavar="N", help="Classes of the week to make.")] = 35,
    traffic: Annotated[
        Literal["day", "week", "rush"],
        typer.Option(help="A week's mixed traffic, a rush on classes with 4 places, or a day that has both."),
    ] = "day",
    think: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Mean time a user thinks; 0 is all it can.")
    ] = 0.5,
    workers: Annotated[
        int, typer.Option(min=0, max=MOST_WORKERS, metavar="N", help="Worker processes on this machine.")
    ] = 0,
    expect_workers: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_WORKERS,
            metavar="N",
            help="Wait for so many workers of other machines, on a network you trust.",
        ),
    ] = 0,
    worker: Annotated[bool, typer.Option("--worker", help="Be a worker of the master on another machine.")] = False,
    master_host: Annotated[str, typer.Option(metavar="HOST", help="Where the master is, for --worker.")] = "127.0.0.1",
    master_port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="PORT", help="Where the master listens for other machines.")
    ] = 5557,
    web_port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Show Locust's page on this port meanwhile.")
    ] = 0,
    seed: Seed = DEFAULT_SEED,
    overlay: Overlay = None,
    sql: Sql = None,
) -> None:
    """Put many users on a system at once, on one machine or many, and check every class afterwards.

    Exit codes: 0 clean, 1 classes lost or given away, data wrong or requests failed, 2 could not run.
    """
    from tools.load import job
    from tools.load.scene import Traffic
    from tools.load.wish import Wish

    if worker and (workers or expect_workers):
        raise SuiteError("--worker serves another machine's load; it does not go with --workers or --expect-workers.")
    if worker and sql:
        raise SuiteError("--sql makes a system on this machine; it does not go with --worker.")
    wish = Wish(
        env=OF_SQL if sql and env == "embedded" else env,
        users=users,
        spawn_rate=spawn_rate or max(1.0, users / 2),
        seconds=job.seconds_of(time),
        members=members or max(1, users * 4 // 5),
        classes=classes,
        traffic=Traffic(traffic),
        think=think,
        workers=workers,
        expect_workers=expect_workers,
        master_host=master_host,
        master_port=master_port,
        web_port=web_port,
        seed=seed,
        overlays=tuple(overlay or ()),
        sql=tuple(sql or ()),
    )
    raise typer.Exit((job.work if worker else job.run)(wish, Console()))


@app.command(
    epilog=examples(
        "prove",
        "prove --mutant book-without-lock --mutant refund-twice",
        "prove --family 'lock removed'",
        "prove --sql my-change.sql",
    )
)
def prove(
    mutant: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this mutant or control; may be given several times.")
    ] = None,
    family: Annotated[str | None, typer.Option(metavar="NAME", help="Only this family of mutants, or control.")] = None,
    sql: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="An overlay of your own; may be given several times.")
    ] = None,
    processes: Annotated[
        int,
        typer.Option(min=1, max=MOST_WORKERS, metavar="N", help="Overlays at once.", show_default="two a core"),
    ] = 2 * (os.cpu_count() or 1),
    replays: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="So often a race must be found, each time.")
    ] = 5,
    full: Annotated[bool, typer.Option("--full", help="Put survivors through every generated case, too.")] = False,
) -> None:
    """Measure what the suite would find: run it on studios with one defect each, and on correct variants.

    Exit codes: 0 all defects found and no false alarm, 1 survivors or red controls, 2 some could not be tried.
    """
    from tools.prove import job

    wish = job.Wish(tuple(mutant or ()), family, tuple(sql or ()), processes, full, replays)
    raise typer.Exit(job.run(wish, Console()))


@app.command(epilog=examples("random", "random --draws 200", "random --seed 4711 --draws 5000 --processes 8"))
def random(
    draws: Annotated[int, typer.Option(min=1, max=1_000_000, metavar="N", help="How many programs.")] = DEFAULT_COUNT,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Draw the same programs again.", show_default="a new one")
    ] = None,
    env: Env = "embedded",
    processes: Annotated[
        int, typer.Option(min=1, max=MOST_WORKERS, metavar="N", help="Parallel workers.", show_default="two a core")
    ] = 2 * (os.cpu_count() or 1),
    overlay: Overlay = None,
    sql: Sql = None,
) -> None:
    """Draw programs at random, each independently: the bound on the failure rate comes from these alone.

    A failing program is shrunk to the smallest one that still fails; `replay` takes it.
    """
    from tools.draws import job

    env = OF_SQL if sql and env == "embedded" else env
    seed = job.fresh_seed() if seed is None else seed
    wish = job.Wish(draws, seed, env, processes, tuple(overlay or ()), sql=tuple(sql or ()))
    raise typer.Exit(job.run(wish, Console()))


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
    # Most tests wait more than they compute: two at a time, those of one group (conftest.py) one after the other.
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", *context.args]
    code = subprocess.call(command, cwd=ROOT)  # noqa: S603 - our own tests
    raise typer.Exit(code if code in (0, 1) else COULD_NOT_RUN)


def main() -> int:
    """Run a command.

    Returns:
        0 all passed, 1 failures found, 2 could not run.
    """
    try:
        app(prog_name=PROGRAM)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("\npilates: interrupted.", file=sys.stderr)
        return end.code if end.code in (0, 1) else COULD_NOT_RUN
    except SuiteError as error:
        print(f"pilates: {error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    return COULD_NOT_RUN


if __name__ == "__main__":
    sys.exit(main())
