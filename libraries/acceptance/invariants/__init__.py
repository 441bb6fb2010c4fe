"""What must always hold: one check each, found in the files of this folder. Their words stand in the data.

To add an invariant, write a function under ``@invariant("I…")`` that yields one sentence per breach into the fitting
file, or into a new one, and its words, severity and advice into ``data/invariants.yaml``. It gets the facts of a case
after a step and must not ask the target anything itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from acceptance.datafiles import DATA, read_yaml
from acceptance.errors import SuiteError
from acceptance.invariants import register
from acceptance.invariants.facts import SHOWN, Facts, View

__all__ = ["CHECKS", "SHOWN", "Breach", "Facts", "View", "check", "described"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
# In the order of their numbers, whichever file each stands in.
CHECKS = dict(sorted(register.CHECKS.items(), key=lambda entry: int(entry[0].removeprefix("I"))))


@dataclass(frozen=True)
class Breach:
    """One invariant that did not hold."""

    invariant: str
    sentence: str

    @property
    def severity(self) -> str:
        """P0, P1 or P2."""
        return described()[self.invariant]["severity"]

    def __str__(self) -> str:
        return f"{self.severity} {self.invariant} {described()[self.invariant]['name']}: {self.sentence}"


@cache
def described() -> dict[str, dict[str, str]]:
    """Return the words of all invariants by id.

    Raises:
        SuiteError: when a check has no entry or an entry lacks a key.
    """
    path = DATA / "invariants.yaml"
    entries: dict[str, dict[str, str]] = read_yaml(path)
    for name in CHECKS:
        for key in ("name", "severity", "meaning", "causes", "fix"):
            if key not in entries.get(name, {}):
                raise SuiteError(f"{path}: {name}.{key}: is missing.")
    return entries


def check(facts: Facts, *names: str) -> list[Breach]:
    """Check every invariant, or those named, on a case's facts, the most serious breach first."""
    breaches = [Breach(name, sentence) for name in names or CHECKS for sentence in CHECKS[name](facts)]
    # I14 is judged after a crash only, and then says best what is wrong.
    return sorted(breaches, key=lambda breach: (breach.severity, breach.invariant != "I14"))
