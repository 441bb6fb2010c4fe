"""Reads what was proven about the suite itself: the mutants of ``prove``, and the random lane's independent draws."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from acceptance.errors import SuiteError
from tools.report.figures import detection_bound, green_confidence

PROOF = "prove.json"
DRAWS = "random.json"
KILLED, SURVIVED, EQUIVALENT = "killed", "survived", "equivalent"
ALL = "all families"
CONTROL = "control"
FOUND = {"not equivalent": KILLED}  # said to be equivalent, and found all the same


@dataclass(frozen=True)
class Family:
    """How the suite fared against the mutants of one kind of defect; equivalent ones are not among them."""

    name: str
    killed: int
    mutants: int

    @property
    def detection(self) -> float:
        """The lower bound of the probability that the suite finds a defect of this kind."""
        return detection_bound(self.killed, self.mutants)

    @property
    def confidence(self) -> float:
        """How sure a green run makes us that there is none."""
        return green_confidence(self.killed, self.mutants)


@dataclass(frozen=True)
class Proof:
    """What ``prove`` found, and in which run's folder it stands."""

    run: str
    mutants: list[dict[str, Any]]
    controls: list[dict[str, Any]]

    @property
    def judged(self) -> list[dict[str, Any]]:
        """The mutants that differ from the right system."""
        return [mutant for mutant in self.mutants if mutant["verdict"] != EQUIVALENT]

    @property
    def survivors(self) -> list[dict[str, Any]]:
        """The mutants that the suite did not find."""
        return [mutant for mutant in self.judged if mutant["verdict"] != KILLED]

    @property
    def false_alarms(self) -> list[dict[str, Any]]:
        """The right systems that the suite called wrong."""
        return [control for control in self.controls if control["verdict"] != "green"]

    @property
    def families(self) -> list[Family]:
        """The families by name."""
        found: dict[str, list[bool]] = defaultdict(list)
        for mutant in self.judged:
            found[mutant["family"]].append(mutant["verdict"] == KILLED)
        return [Family(name, sum(killed), len(killed)) for name, killed in sorted(found.items())]

    @property
    def total(self) -> Family:
        """All families together."""
        return Family(ALL, len(self.judged) - len(self.survivors), len(self.judged))

    @property
    def invariants(self) -> list[str]:
        """The invariants that at least one mutant broke, by number."""
        return sorted({name for mutant in self.mutants for name in mutant["invariants"]}, key=_number)


@dataclass(frozen=True)
class Draws:
    """Programs drawn independently by the random lane, and how many of them failed."""

    draws: int
    failures: int


def find_proof(where: Path) -> Proof | None:
    """Read ``prove.json`` from a run's folder or, as it speaks about the suite, the best one of the runs beside it.

    The best is the one with the most mutants, the newest of these: one mutant tried by hand hides no whole proof.

    Raises:
        SuiteError: when the run's own is malformed.
    """
    if (where / PROOF).is_file():
        return _proof(where / PROOF)
    found = []
    for path in where.resolve().parent.glob(f"[0-9]*/{PROOF}"):
        # Another run may be writing its own at this moment; this run's report does not fail for that.
        with suppress(SuiteError):
            found.append(_proof(path))
    return max(found, key=lambda proof: (len(proof.mutants), proof.run), default=None)


def _proof(path: Path) -> Proof:
    found = _load(path)
    try:
        if "overlays" in found:
            found = _sorted_out(found["overlays"])
        proof = Proof(path.resolve().parent.name, found["mutants"], found.get("controls", []))
        for mutant in proof.mutants:
            mutant["invariants"] = list(mutant.get("invariants") or [])
            mutant["id"], mutant["family"], mutant["verdict"]
        [control["verdict"] for control in proof.controls]
    except (KeyError, TypeError) as error:
        raise SuiteError(f"{path}: is not what prove writes: {error!r}.") from None
    return proof


def _sorted_out(overlays: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Tell mutants from controls, where prove lists both as overlays with an outcome and what they broke."""
    records = [{**one, "verdict": FOUND.get(one["outcome"], one["outcome"])} for one in overlays]
    mutants = [{**one, "invariants": one["broke"]} for one in records if one["family"] != CONTROL]
    return {"mutants": mutants, "controls": [one for one in records if one["family"] == CONTROL]}


def find_draws(where: Path) -> Draws | None:
    """Read ``random.json`` of a run; another run's draws say nothing about this one's target.

    Raises:
        SuiteError: when it is malformed.
    """
    path = where / DRAWS
    if not path.is_file():
        return None
    found = _load(path)
    try:
        return Draws(int(found["draws"]), int(found["failures"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SuiteError(f"{path}: is not what the random lane writes: {error!r}.") from None


def _load(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise SuiteError(f"{path}: is not JSON: {error}.") from None


def _number(name: str) -> tuple[int, str]:
    digits = name[1:]
    return (int(digits) if digits.isdigit() else 99, name)
