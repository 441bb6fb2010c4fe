"""Everything that is known of a run, read once; the reports only say it in different ways."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from tools.report import findings, logs, proof
from tools.report.figures import percentile
from tools.report.findings import Finding
from tools.report.proof import Draws, Proof
from tools.report.results import Case, Results, read
from tools.run import folder, machine, reruns

SUITE = 1_247  # cases; fewer leave combinations and orders out


@dataclass(frozen=True)
class Facts:
    """What a run's folder holds."""

    where: Path
    record: dict[str, Any]
    results: Results
    table: dict[str, Any]
    disturbances: dict[str, dict[str, int]]
    calls: dict[str, list[float]]
    samples: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    findings: list[Finding]
    proof: Proof | None
    draws: Draws | None

    @property
    def coverage(self) -> dict[str, dict[str, int]]:
        """Covered and possible combinations, and orders, by name; empty for a shard, or where no case was generated."""
        if self.record["arguments"].get("shard"):
            return {}  # the table is the whole run's
        found = self.table.get("coverage", {})
        return {name: c for name, c in found.items() if isinstance(c, dict) and {"covered", "possible"} <= c.keys()}

    @property
    def missing(self) -> int:
        """The cases of which nothing is known."""
        lost: int = self.record["counts"]["lost"]
        return self.results.counts["NOT RUN"] + lost

    @property
    def is_whole(self) -> bool:
        """Whether the whole suite ran: every category, and enough cases to meet every combination."""
        arguments = self.record["arguments"]
        part = arguments.get("priority") or arguments.get("category") or arguments.get("full")
        part = part or arguments.get("shard")
        return not part and arguments.get("count", 0) >= SUITE

    def beside(self, case: Case) -> dict[str, Any]:
        """Return how its machine did when a case began; empty where that is not known."""
        if case.started is None:
            return {}
        number = self.shards.get(case.id)
        return machine.at(case.started, [s for s in self.samples if number in (None, s.get("shard"))])

    @cached_property
    def shards(self) -> dict[str, int]:
        """The shard of each case of a merged run; empty for any other run."""
        path = self.where / folder.SPLIT
        split = orjson.loads(path.read_bytes()) if path.is_file() else []
        return {name: number for number, names in enumerate(split, 1) for name in names}

    @property
    def flakiness(self) -> float:
        """The share of cases that failed without breaking an invariant and passed when run again."""
        return self.record["counts"]["flaky"] / len(self.results.cases) if self.results.cases else 0.0

    @cached_property
    def performance(self) -> list[Measure]:
        """The seed's table of performance, with what was measured."""
        seconds, workers = self.record["seconds"], self.record["arguments"]["processes"]
        latency = percentile([value for values in self.calls.values() for value in values], 0.99)
        rate = len(self.results.cases) / seconds if seconds else 0.0
        flaky = self.flakiness
        words = "-" if latency is None else f"{latency / 1000:.3f} s"
        return [
            Measure(
                "Total test duration", "< 60 min", "< 120 min", f"{seconds:,.1f} s", below(seconds, 60 * 60, 120 * 60)
            ),
            Measure("Tests per second", "> 1", "> 0.5", f"{rate:.1f}", below(-rate, -1, -0.5)),
            Measure("DB query latency (p99)", "< 2 s", "< 5 s", words, below(latency, 2000, 5000)),
            Measure("Test flakiness rate", "< 1%", "< 5%", f"{flaky:.2%}", below(flaky, 0.01, 0.05)),
            Measure("Parallel test workers", "20-50", "10", f"{workers}", below(-workers, -20, -10)),
        ]


@dataclass(frozen=True)
class Measure:
    """One line of the table of performance."""

    name: str
    target: str
    acceptable: str
    measured: str
    verdict: str


def gather(where: Path, results: Results | None = None) -> Facts:
    """Read a run's folder, and join its logs to one.

    Args:
        where: the run's folder.
        results: what came of the cases; read from output.xml where it is not at hand.
    """
    calls: dict[str, list[float]] = defaultdict(list)
    found = []
    for entry, line in logs.lines(where):
        calls[entry["action"]].append(float(entry["response"]["latency_ms"]))
        found.append(line)
    logs.merge(where, found)
    results = results or read(where / folder.OUTPUT)
    table = where / folder.TABLE  # not there when no case was generated
    again = where / reruns.FILE
    return Facts(
        where=where,
        record=orjson.loads((where / folder.RECORD).read_bytes()),
        results=results,
        findings=findings.find(where, results, logs.records(where)),
        table=orjson.loads(table.read_bytes()) if table.is_file() else {},
        disturbances=logs.disturbances(where),
        calls=dict(sorted(calls.items())),
        samples=machine.samples(where),
        verdicts=orjson.loads(again.read_bytes()) if again.is_file() else [],
        proof=proof.find_proof(where),
        draws=proof.find_draws(where),
    )


def below(value: float | None, target: float, acceptable: float) -> str:
    """Judge a measured value by two limits that it should stay under."""
    if value is None:
        return "-"
    if value <= target:
        return "target met"
    return "acceptable" if value <= acceptable else "missed"
