"""Making cases and trying them on a system: generate, run, load, prove, random."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from acceptance.errors import SuiteError
from tools.commands.options import (
    DEFAULT_COUNT,
    DEFAULT_SEED,
    MOST_USERS,
    MOST_WORKERS,
    OF_SQL,
    Category,
    Count,
    Env,
    Full,
    Overlay,
    Seed,
    Sql,
    examples,
)

app = typer.Typer()


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
            min=1, max=MOST_WORKERS, metavar="N", help="Parallel workers.", show_default="four a core, at most 24"
        ),
    ] = min(24, 4 * (os.cpu_count() or 1)),  # a case waits most of its time
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
