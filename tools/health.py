"""Looks whether everything that a run needs is there, and what it would prove; nothing it writes stays."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from importlib import metadata
from pathlib import Path

from acceptance import datafiles, embedded, environment, people, rows
from acceptance.catalogue import Catalogue
from acceptance.contract import Contract
from acceptance.environment import Environment, Target
from acceptance.errors import SuiteError
from acceptance.policies import Choice
from tools import generator, pilates
from tools.report.unproven import Reason
from tools.run import cases, foresight, preflight, shape
from tools.run.foresight import Foresight
from tools.run.shape import Section

MOST_REASONS = 8
SPACE_NEEDED = 2 << 30  # bytes; a studio with some thousand cases takes less than one


def tell(name: str, sql: Sequence[Path] = (), *, details: bool = False) -> bool:
    """Print one line for each finding, and what the target looks like; return whether all is well.

    Args:
        name: the environment.
        sql: SQL files in the place of those that it names.
        details: whether to show whole conditions, and all there is.
    """
    chosen: list[Environment] = []

    def load() -> str:
        chosen.append(environment.load(name, [path.resolve() for path in sql]))
        return f"environment {name}: {chosen[0].description}"

    # A list, not a generator: every finding is told, also after a bad one.
    verdicts = [_told(check) for check in (_python, _packages, _space, _data, load)]
    return all(verdicts) and _told_of_target(chosen[0], details=details)


def _told_of_target(chosen: Environment, *, details: bool) -> bool:
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
            for section in _sections(target, details=details):
                print(f"\n{section.title}")
                for line in section.lines:
                    print(f"  {line}")
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
    folder = embedded.temporary()
    free = shutil.disk_usage(folder).free
    if free < SPACE_NEEDED:
        raise SuiteError(f"{folder}: {free >> 20} MiB are free, {SPACE_NEEDED >> 20} are needed; set TMPDIR elsewhere.")
    return f"{folder}: {free >> 30} GiB free"


def _data() -> str:
    return f"{len(datafiles.profiles())} users, {len(datafiles.devices())} devices, {len(environment.names())} systems"


def _sections(target: Target, *, details: bool) -> Iterator[Section]:
    """Describe the target, what follows from it, and what a run would prove."""
    with preflight.connected(target) as connection:
        catalogue, contract = preflight.understood(connection, target.environment)
        yield from shape.sections(connection, target.environment, catalogue, contract, details=details)
        yield Section("Capabilities", contract.found or list(_abilities(target, catalogue, contract)))
        given = None
        if target.environment.users_given:
            given = people.of(target)
            catalogue.users_given = frozenset(given.ids)
    table = generator.generate(env=target.environment.name)
    scenarios = foresight.scenarios_of(table["cases"], cases.by_hand(None).all_tests)
    seen = foresight.foresee(target, catalogue, contract, scenarios, given)
    lines = list(_foreseen(seen, contract, details=details))
    if target.environment.only_read:
        lines.insert(0, "nothing as it is: nothing may be written there, so only verify-db and reconcile run; else:")
    yield Section(f"What `run` would prove ({seen.cases:,} cases: {cases.kinds(scenarios.keys())})", lines)


def _foreseen(seen: Foresight, contract: Contract, *, details: bool) -> Iterator[str]:
    unproven, maybe = len(seen.unproven), len(seen.maybe)
    yield f"{seen.cases - unproven - maybe:6,} will be judged"
    yield f"{unproven:6,} will be not proven{':' if unproven else ''}"
    yield from _reasons(seen.reasons, details=details)
    if maybe:
        yield f"{maybe:6,} may turn out not proven, which shows only when they run:"
        yield from _reasons(seen.doubts, details=details)
    if open_rules := [str(policy) for policy, choice in contract.policies.items() if choice is Choice.EITHER]:
        yield "More may, where the target has chosen a rule otherwise than our studio; that cannot be seen beforehand."
        yield from shape.wrapped(f"What is not said under `policies`: {', '.join(open_rules)}.")


def _reasons(found: list[Reason], *, details: bool) -> Iterator[str]:
    shown = found if details else found[:MOST_REASONS]
    for one in shown:
        yield f"  {one.count:6,} {one.cause}"
        if one.unlocked_by:
            yield f"         unlocked by: {one.unlocked_by}"
    if rest := found[len(shown) :]:
        yield f"  {sum(one.count for one in rest):6,} for {len(rest)} other reasons; see --details"


def _abilities(target: Target, catalogue: Catalogue, contract: Contract) -> Iterator[str]:
    """Say which optional parts of the contract our own studio has and lacks."""
    for operation, name in target.environment.functions.items():
        has = operation in contract.operations
        yield f"has {name}" if has else f"lacks {name}; what needs it is skipped and not proven"
    for name in rows.SIDE_TABLES:
        yield f"has {name}" if name in catalogue else f"lacks {name}; what needs it is skipped and not proven"
