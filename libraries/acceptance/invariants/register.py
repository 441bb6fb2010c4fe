"""How a check gets its invariant's id."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from acceptance.errors import SuiteError
from acceptance.invariants.facts import Facts

Check = Callable[[Facts], Iterator[str]]
CHECKS: dict[str, Check] = {}


def invariant(name: str) -> Callable[[Check], Check]:
    """Register a check under an id of ``data/invariants.yaml``.

    Raises:
        SuiteError: when another check has that id.
    """

    def register(check: Check) -> Check:
        if name in CHECKS:
            raise SuiteError(f"{name} is checked twice: by {CHECKS[name].__name__} and by {check.__name__}.")
        CHECKS[name] = check
        return check

    return register
