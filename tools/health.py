"""Looks whether everything that a run needs is there; writes nothing to the target."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from importlib import metadata
from pathlib import Path

from acceptance import datafiles, environment, rows
from acceptance.environment import Environment, Target
from acceptance.errors import SuiteError
from tools import pilates
from tools.run import preflight

SPACE_NEEDED = 2 << 30  # bytes; a studio with some thousand cases takes less than one


def tell(name: str, sql: Sequence[Path] = ()) -> bool:
    """Print one line for each finding; return whether all is well.

    Args:
        name: the environment.
        sql: SQL files in the place of those that it names.
    """
    chosen: list[Environment] = []

    def load() -> str:
        chosen.append(environment.load(name, [path.resolve() for path in sql]))
        return f"environment {name}: {chosen[0].description}"

    # A list, not a generator: every finding is told, also after a bad one.
    verdicts = [_told(check) for check in (_python, _packages, _space, _data, load)]
    return all(verdicts) and _told_of_target(chosen[0])


def _told_of_target(chosen: Environment) -> bool:
    try:
        target = environment.connect(chosen)
    except SuiteError as error:
        print(f"BAD  {error}")
        return False
    with closing(target):
        verdicts = []
        for check in preflight.checks_of(target):
            verdicts.append(_told(partial(check, target)))
            if not verdicts[-1] and target.lease is not None:
                break  # of a studio of our own what follows is a consequence
        if all(verdicts):
            for line in preflight.found(target) or [f"  {line}" for line in _abilities(target)]:
                print(f"   {line}")
    return all(verdicts)


def _told(check: Callable[[], str]) -> bool:
    try:
        print(f"ok   {check()}")
    except SuiteError as error:
        print(f"BAD  {error}")
        return False
    return True


def _python() -> str:
    return f"Python {platform.python_version()}: {sys.executable}"


def _packages() -> str:
    pinned = pilates.pins((datafiles.ROOT / "requirements.txt").read_text(encoding="utf-8"))
    if lacking := pilates.missing(pinned):
        raise SuiteError(f"{lacking[0]} is not installed in its pinned version; remove .venv and call again.")
    return f"{len(pinned)} pinned packages, Robot Framework {metadata.version('robotframework')}"


def _space() -> str:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < SPACE_NEEDED:
        raise SuiteError(f"{folder}: {free >> 20} MiB are free, {SPACE_NEEDED >> 20} are needed; set TMPDIR elsewhere.")
    return f"{folder}: {free >> 30} GiB free"


def _data() -> str:
    return f"{len(datafiles.profiles())} users, {len(datafiles.devices())} devices, {len(environment.names())} systems"


def _abilities(target: Target) -> Iterator[str]:
    """Say which optional parts of the contract the target has and lacks."""
    functions = target.environment.functions
    with preflight.connected(target) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select proname::text from pg_proc where pronamespace = 'public'::regnamespace and proname = any(%s)",
            (list(functions.values()),),
        )
        there = {name for (name,) in cursor.fetchall()} | rows.read_catalogue(connection).keys()
    for name in (*functions.values(), *rows.SIDE_TABLES):
        yield f"has {name}" if name in there else f"lacks {name}; what needs it is skipped and not proven"
