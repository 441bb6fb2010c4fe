"""What the commands share: options, bounds, and how examples are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PROGRAM = "python3 tools/pilates.py"
COULD_NOT_RUN = 2
MOST_CASES = 20_000
MOST_WORKERS = 200
MOST_USERS = 20_000
DEFAULT_COUNT = 1247
DEFAULT_SEED = 20251024
OF_SQL = "sql"  # the environment of `run --sql`

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


def examples(*lines: str) -> str:
    """Make the examples at the end of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {PROGRAM} {line}" for line in lines)
