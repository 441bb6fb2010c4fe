"""The systems under test of ``data/environments.yaml``, and the connection to one of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acceptance import embedded
from acceptance.datafiles import DATA, ROOT, check_schema, read_yaml
from acceptance.errors import SuiteError
from acceptance.model import Operation, Refusal

FILE = DATA / "environments.yaml"


@dataclass(frozen=True)
class Environment:
    """One entry of the file, with defaults filled in and secrets still unresolved."""

    name: str
    description: str
    zone: str
    read_only: bool
    functions: dict[Operation, str]
    refusals: dict[Refusal, re.Pattern[str]]
    instruments: bool = False
    start: Path | None = None
    locations: dict[str, str] = field(default_factory=dict)


@dataclass
class Target:
    """A system that answers: its environment, where it is, and how to get in. The secrets never show in a repr.

    ``network_url`` is the proxy in front of the API that disturbs calls; empty where there is none. ``calendar_url`` is
    where the members' calendars are (CalDAV), with user and password; empty where there is none.
    """

    environment: Environment
    api_url: str
    database_url: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    api_key: str = field(repr=False, default="")
    network_url: str = ""
    calendar_url: str = field(repr=False, default="")
    lease: embedded.Studio | None = field(repr=False, default=None)

    def close(self) -> None:
        """Give up the lease of an embedded studio; it stops when nobody else holds one."""
        if self.lease is not None:
            self.lease.close()


def names() -> list[str]:
    """Return the names of all environments, in the file's order."""
    return list(_document()["environments"])


def load(name: str) -> Environment:
    """Read one environment.

    Args:
        name: a key under ``environments`` in ``data/environments.yaml``.

    Raises:
        SuiteError: when the file is malformed or has no such entry.
    """
    document = _document()
    if name not in document["environments"]:
        known = ", ".join(document["environments"])
        raise SuiteError(f"{FILE}: environments: there is no environment {name!r}; known: {known}.")
    defaults, entry = document["defaults"], document["environments"][name]
    functions = {**defaults.get("functions", {}), **entry.get("functions", {})}
    refusals = {**defaults.get("refusals", {}), **entry.get("refusals", {})}
    merged = {**defaults, **entry}
    return Environment(
        name=name,
        description=merged["description"],
        zone=merged["zone"],
        read_only=merged["read_only"],
        functions={Operation(key): value for key, value in functions.items()},
        refusals={Refusal[key]: re.compile(value, re.IGNORECASE) for key, value in refusals.items()},
        instruments=merged["instruments"],
        start=ROOT / merged["start"] if "start" in merged else None,
        locations={
            k: merged[k] for k in ("api_url", "database_url", "jwt_secret", "api_key", "calendar_url") if k in merged
        },
    )


def connect(environment: Environment, overlays: Sequence[Path] = (), *, private: bool = False) -> Target:
    """Find the system of an environment, starting the embedded studio where nobody has yet.

    Args:
        environment: what to connect to.
        overlays: SQL files applied last (defects on purpose); the embedded studio only.
        private: whether to have a studio that nobody else uses; the embedded one only.

    Raises:
        SuiteError: when a secret is not set, the studio does not start, or a real system is asked for either.
    """
    if environment.start is not None:
        studio = embedded.attach(environment.start, overlays, private=private)
        return Target(
            environment,
            studio.api_url,
            studio.database_url,
            studio.jwt_secret,
            network_url=studio.network_url,
            calendar_url=studio.calendar_url,
            lease=studio,
        )
    if overlays:
        raise SuiteError(
            f"{environment.name}: an overlay breaks a system on purpose; only the embedded studio takes one."
        )
    if private:
        raise SuiteError(f"{environment.name}: only the embedded studio can be had for oneself.")
    resolved = {key: _resolve(environment.name, key, value) for key, value in environment.locations.items()}
    return Target(environment, **{**resolved, "api_url": resolved["api_url"].rstrip("/")})


def _document() -> dict[str, Any]:
    document = read_yaml(FILE)
    check_schema(document, DATA / "environments.schema.json", FILE)
    return document


def _resolve(name: str, key: str, value: str) -> str:
    """Replace each ``${VARIABLE}`` by the process environment's value."""

    def from_environment(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise SuiteError(f"{FILE}: {name}.{key}: set the environment variable {match[1]} first.")
        return os.environ[match[1]]

    return re.sub(r"\$\{(\w+)\}", from_environment, value)
