"""The command line that tools/pilates.py hands over to: its commands stand in ``tools/commands``."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from acceptance.errors import SuiteError
from tools.commands import databases, project, results, running
from tools.commands.options import COULD_NOT_RUN, PROGRAM, examples

INTERRUPTED = 130  # Typer's own for Ctrl-C
# What may be called after --read-only; whatever is not named here may not, so that a new command is refused at first.
READING = frozenset({"analyze", "docs", "doctor", "generate", "reconcile", "report", "verify-db"})


class Guarded(TyperCommand):
    """A command that keeps the promise of --read-only before it does anything else."""

    def invoke(self, ctx: Any) -> Any:
        """Run it, or refuse.

        Raises:
            SuiteError: when --read-only was said, and it writes.
        """
        from acceptance import environment

        if environment.READ_ONLY in os.environ and self.name not in READING:
            words = f"{self.name} writes to a system or removes something"
            raise SuiteError(f"--read-only was said, and {words}: not done.")
        return super().invoke(ctx)


app = typer.Typer(
    help="Does a booking system ever lose a class? 1,247 generated end-to-end cases look for it.",
    epilog=examples("run", "run --count 100 --processes 4", "report", "serve", "selftest")
    + "\n\nExit codes: 0 all passed, 1 failures found, 2 could not run.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _topic in (running, results, databases, project):
    app.registered_commands += _topic.app.registered_commands
for _command in app.registered_commands:
    _command.cls = Guarded


@app.callback()
def everywhere(
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only",
            help="Write to no system under test, and remove nothing: commands that would refuse. Those that are left"
            " write files of their own at most: " + ", ".join(sorted(READING)) + ".",
        ),
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
