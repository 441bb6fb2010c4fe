"""What is known of a run while it goes on, and what stays of it in run.json."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from acceptance.environment import Environment
from tools.report import results
from tools.run import folder, shards

PASSED, FAILED, COULD_NOT_RUN = 0, 1, 2
PRIORITY = "priority"
PACKAGES = ("robotframework", "robotframework-pabot", "robotframework-requests", "robotframework-databaselibrary")


@dataclass(frozen=True)
class Arguments:
    """What a person asked for."""

    count: int
    seed: int
    env: str
    processes: int
    category: str | None = None
    priority: bool = False
    full: bool = False
    overlays: Sequence[Path] = ()
    draws: int = 0
    shard: shards.Shard | None = None
    pabotlib: str | None = None
    sql: Sequence[Path] = ()

    @property
    def include(self) -> str | None:
        """The tag of the wanted tests; None for every test."""
        if self.priority:
            return PRIORITY
        return f"{results.CATEGORY}{self.category}" if self.category else None


@dataclass
class Run:
    """What is known of a run while it goes on; run.json is made from it."""

    arguments: Arguments
    environment: Environment
    folder: Path
    planned: set[str]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0
    interrupted: bool = False
    flaky: int = 0
    drawn: int = PASSED  # what the random lane would exit with
    results: results.Results = field(default_factory=lambda: results.Results([]))

    @property
    def lost(self) -> set[str]:
        """The cases that no result speaks of."""
        return self.planned - {case.id for case in self.results.cases}

    @property
    def exit_code(self) -> int:
        """0 all passed, 1 failures found, 2 could not run."""
        if self.interrupted:
            return COULD_NOT_RUN
        if self.results.counts["FAIL"] or self.drawn == FAILED:
            return FAILED
        return COULD_NOT_RUN if self.lost or self.results.counts["NOT RUN"] or self.drawn else PASSED

    def record(self) -> dict[str, Any]:
        """Describe the run for run.json; secrets are not in it."""
        chosen, counts = self.environment, self.results.counts
        return {
            "run": self.folder.name,
            "started": self.started.isoformat(timespec="milliseconds"),
            "seconds": round(self.seconds, 3),
            "seed": self.arguments.seed,
            "arguments": {
                **asdict(self.arguments),
                "overlays": [str(path.resolve()) for path in self.arguments.overlays],
                "shard": str(self.arguments.shard) if self.arguments.shard else None,
                "sql": [str(path.resolve()) for path in self.arguments.sql],
            },
            "environment": {"name": chosen.name, "description": chosen.description, "zone": chosen.zone},
            "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
            "machine": {
                "name": platform.node(),
                "system": platform.platform(),
                "cores": os.cpu_count(),
                "load": os.getloadavg(),
            },
            "counts": {
                "planned": len(self.planned),
                "passed": counts["PASS"],
                "failed": counts["FAIL"],
                "p0": len(self.results.p0),
                "flaky": self.flaky,
                "skipped": counts["SKIP"],
                "not_run": counts["NOT RUN"],
                "lost": len(self.lost),
            },
            "lost": sorted(self.lost),
            "interrupted": self.interrupted,
            "exit_code": self.exit_code,
        }

    def write(self) -> None:
        """Write run.json."""
        options = orjson.OPT_INDENT_2
        (self.folder / folder.RECORD).write_bytes(orjson.dumps(self.record(), option=options, default=str))
