"""The folders of ``results/``: one for each run, never written twice."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError

RESULTS = ROOT / "results"
LATEST = "latest"
RECORD = "run.json"
TABLE = "cases.json"
DRAWN = "random-cases.json"  # the programs of the random lane that failed, as cases
OUTPUT = "output.xml"
SPLIT = "shards.json"  # of a merged run: which machine ran which case
OVERLAYS = "overlays"  # of a shard: copies, so that they can be had where the shards are merged
LOAD = "load/load.json"
SHOWN = 5


def create(*, latest: bool = True, fits: Callable[[str], bool] | None = None) -> Path:
    """Make a new run's folder, named after the present instant.

    Args:
        fits: tells whether a name will do; None takes any.
        latest: whether ``latest`` points at it from now on; not for a load, which has no cases to report or replay.
    """
    while True:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        if (fits is None or fits(name)) and not (RESULTS / name).exists():
            break
    folder = RESULTS / name
    folder.mkdir(parents=True)
    if not latest:
        return folder
    link = RESULTS / f".{LATEST}-{name}"
    link.symlink_to(name)
    os.replace(link, RESULTS / LATEST)  # at once: there is always a latest
    return folder


def find(name: str) -> Path:
    """Return the folder of a run by its name, or by a path to it.

    Raises:
        SuiteError: when there is no such run.
    """
    for folder in (RESULTS / name, Path(name)):
        if (folder / RECORD).is_file():
            return folder.resolve()
    known = ", ".join(folder.name for folder in runs()[:SHOWN]) or "none yet"
    raise SuiteError(f"{RESULTS}: there is no run {name!r}; the newest runs: {known}.")


def runs() -> list[Path]:
    """Return the folders of all runs, the newest first."""
    found = [record.parent for record in RESULTS.glob(f"*/{RECORD}") if record.parent.name != LATEST]
    return sorted(found, key=lambda folder: folder.name, reverse=True)


def remove_old() -> list[Path]:
    """Remove the folders of all runs but the one that ``latest`` points at, and of all loads but the newest."""
    kept = (RESULTS / LATEST).resolve()
    old = [folder for folder in runs() if folder.resolve() != kept]
    old += sorted(RESULTS / record.parts[-3] for record in RESULTS.glob(f"*/{LOAD}"))[:-1]
    for folder in old:
        shutil.rmtree(folder)
    return old
