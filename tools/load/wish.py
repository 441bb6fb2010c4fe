"""What a person asks of a load, and what Locust's processes came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.load.scene import Traffic

LOCAL = "127.0.0.1"
LOCUST_PORT = 5557


@dataclass(frozen=True)
class Wish:
    """What a person asked for. ``seconds`` None runs until Ctrl-C; ``web_port`` 0 is headless."""

    env: str
    users: int = 50
    spawn_rate: float = 25
    seconds: int | None = 30
    members: int = 40
    classes: int = 35
    traffic: Traffic = Traffic.DAY
    think: float = 0.5
    workers: int = 0
    expect_workers: int = 0
    master_host: str = LOCAL
    master_port: int = LOCUST_PORT
    web_port: int = 0
    seed: int = 0
    overlays: Sequence[Path] = ()
    sql: Sequence[Path] = ()


@dataclass
class Ran:
    """What came of Locust's processes."""

    seconds: float = 0.0
    interrupted: bool = False
    trouble: list[str] = field(default_factory=list)
    stats: list[dict[str, str]] = field(default_factory=list)

    @property
    def total(self) -> dict[str, str]:
        """Locust's own sum over all requests."""
        return next((row for row in self.stats if row["Name"] == "Aggregated"), {})
