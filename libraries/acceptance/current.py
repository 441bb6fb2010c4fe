"""The one bench and the one case of this process, shared by the keyword libraries."""

from __future__ import annotations

import re

from acceptance.bench import Bench
from acceptance.errors import SuiteError
from acceptance.running_case import RunningCase

_bench: Bench | None = None
_case: RunningCase | None = None
_ended: RunningCase | None = None


def set_bench(bench: Bench | None) -> None:
    """Make a bench the process's own, or forget it."""
    global _bench
    _bench = bench


def set_case(case: RunningCase | None) -> None:
    """Make a case the running one, or forget it."""
    global _case, _ended
    _ended, _case = _case, case


def bench() -> Bench | None:
    """Return the process's bench, or None before the first connection."""
    return _bench


def case() -> RunningCase:
    """Return the running case.

    Raises:
        SuiteError: outside of a case.
    """
    if _case is None:
        raise SuiteError("no case is running; the suite file needs the settings `Test Setup    The case begins`.")
    return _case


def ended() -> RunningCase | None:
    """Return the case that has just ended, for who wants to know what came of it; None when one is running."""
    return _ended


def count(words: str) -> int:
    """Return the number in a scenario's words, for example 2 for "2 classes are"."""
    match = re.match(r"-?\d+", words)
    if match is None:
        raise SuiteError(f"{words!r} has no number in it.")
    return int(match[0])
