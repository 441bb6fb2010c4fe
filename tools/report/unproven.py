"""Counts why cases prove nothing, and says what would let them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from acceptance.errors import OF_THIS_CASE
from tools.report.results import Results, cause_of

MARK = "not proven: "
SHOWN = 5
# A cause, and what lets its cases be judged; the names are keys of data/environments.yaml. The first that fits counts.
UNLOCKED_BY: tuple[tuple[str, str], ...] = (
    (r"nothing else looks like", "name it under `functions` or, of several calls, `composites`"),
    (r"name one", "name the one that is meant under `functions`"),
    (r"asks for ", "say its arguments under `arguments` or `extra_arguments`"),
    (r"no argument for the member", "name it under `arguments`, if there is one"),
    (r"keeps no idempotency keys", "`idempotency: true`, if the target keeps them where nobody looked"),
    (r"rules for .* are its own", "say under `policies` which way is meant"),
    (r"none of the environment's `refusals`", "say its wording under `refusals`"),
    (r"no calendar server", "`calendar_url`, if there is one"),
    (
        r"calendar that the suite|its calendar$|calendar worker",
        "nothing here: only the embedded studio's calendar is disturbed",
    ),
    (r"does not allow instruments", "`instruments: true`, if the suite may put its triggers there"),
    (r"no network proxy", "run it by the command `run`, which puts one in front"),
    (r"not ours to kill", "nothing here: only the embedded studio is killed"),
    (r"several calls", "nothing: what an app makes of several calls cannot be all or nothing"),
    (r"know no ", "name the role under `roles`, if there are such people"),
    (r"gives .* and this needs one more|gives no token|gives its users", "more users under `tokens` or `sign_in`"),
)


@dataclass(frozen=True)
class Reason:
    """One cause, how many cases have it, and what would unlock them (empty: not known)."""

    cause: str
    count: int

    @property
    def unlocked_by(self) -> str:
        """What lets these cases be judged."""
        return next((words for pattern, words in UNLOCKED_BY if re.search(pattern, self.cause)), "")

    def __str__(self) -> str:
        """Say it in one line."""
        help_with = f" [{self.unlocked_by}]" if self.unlocked_by else ""
        return f"{self.count:,} {self.cause}{help_with}"


def reasons(messages: Iterable[str]) -> list[Reason]:
    """Group what skipped cases say by cause, the most frequent first."""
    counts = Counter(cause(message) for message in messages)
    return [Reason(*found) for found in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]


def cause(message: str) -> str:
    """Return what is the same for all cases with this cause."""
    told = cause_of(message).partition(OF_THIS_CASE)[0]
    return told.removeprefix(MARK).rstrip(". ") or "skipped, and nothing says why"


def of(results: Results) -> list[Reason]:
    """Group the skipped cases of a run."""
    return reasons(case.message for case in results.of("SKIP"))


def told(results: Results) -> Iterator[str]:
    """Say in a few lines how much of a run proves nothing, and why."""
    found = of(results)
    if not found:
        return
    yield f"{results.judged:,} of {len(results.cases):,} judged; {sum(one.count for one in found):,} not proven:"
    width = len(f"{found[0].count:,}")
    for one in found[:SHOWN]:
        yield f"  {one.count:>{width},} {one.cause}"
        if one.unlocked_by:
            yield f"  {'':>{width}}   unlocked by: {one.unlocked_by}"
    if rest := found[SHOWN:]:
        yield f"  {sum(one.count for one in rest):,} more for {len(rest)} other reasons; see the report."
