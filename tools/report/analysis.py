"""Says of a run what was found, what the failing cases share, and what was slow."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from tools.report import findings
from tools.report.figures import percentile
from tools.report.findings import Finding
from tools.report.logs import records
from tools.report.results import Case, Results, read
from tools.run import folder

FACTORS = ("category", "action", "device", "zone", "network", "user", "priority")
SLOWEST = 10


def shared(cases: list[Case], results: Results) -> dict[str, str]:
    """Return the factors on which all these cases agree although the run as a whole does not."""
    agreed = {}
    for factor in FACTORS:
        levels = {level(case, factor) for case in cases}
        if len(levels) == 1 and len({level(case, factor) for case in results.cases}) > 1:
            agreed[factor] = levels.pop()
    return agreed


def level(case: Case, factor: str) -> str:
    """Return a case's level of a factor by its tag, or "-"."""
    return next((tag.removeprefix(f"{factor}-") for tag in sorted(case.tags) if tag.startswith(f"{factor}-")), "-")


def latencies(where: Path) -> dict[str, list[float]]:
    """Read the latency of each logged call in milliseconds, by operation."""
    found: dict[str, list[float]] = defaultdict(list)
    for record in records(where):
        found[record["action"]].append(record["response"]["latency_ms"])
    return dict(found)


def tell(where: Path, console: Console) -> Path:
    """Print the analysis of a run and write it as ``analysis.json`` into its folder, whose path is returned."""
    results = read(where / folder.OUTPUT)
    found, calls = findings.find(where, results, records(where)), latencies(where)
    counts = orjson.loads((where / folder.RECORD).read_bytes())["counts"]
    _print_findings(found, results, console)
    _print_calls(calls, console)
    _print_slowest(results, console)
    rate = counts["flaky"] / len(results.cases) if results.cases else 0.0
    console.print(f"Flaky: {counts['flaky']} of {len(results.cases)} cases ({rate:.2%})")
    record = {
        "findings": [{**one.record(), "shared": shared(one.cases, results)} for one in found],
        "latency_ms": {
            name: {"calls": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}
            for name, values in sorted(calls.items())
        },
        "flaky": counts["flaky"],
    }
    path = where / "analysis.json"
    path.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    return path


def _print_findings(found: list[Finding], results: Results, console: Console) -> None:
    if not found:
        console.print("No failures.")
        return
    table = Table("", "Finding", "Broke", "Seen", "Explains", "All its cases share", "See", title="Findings")
    for one in found:
        agreed = ", ".join(f"{factor} {name}" for factor, name in shared(one.cases, results).items())
        broke = " ".join([one.invariant, *one.consequences])
        seen = f"{one.failed} of {one.tried}"
        table.add_row(one.severity, one.title, broke, seen, str(len(one.cases)), agreed or "-", one.first.case.id)
    console.print(table)
    broken = Counter(name for case in results.failures for name in case.broken)
    console.print("Cases by invariant: " + ", ".join(f"{name} {count}" for name, count in broken.most_common()))


def _print_calls(calls: dict[str, list[float]], console: Console) -> None:
    table = Table(
        "Operation", "Calls", "p50 ms", "p90 ms", "p99 ms", title="Latency, retries and injected delays included"
    )
    for name, values in sorted(calls.items()):
        cells = [f"{percentile(values, share):.1f}" for share in (0.5, 0.9, 0.99)]
        table.add_row(name, str(len(values)), *cells)
    console.print(table)


def _print_slowest(results: Results, console: Console) -> None:
    table = Table("Slowest cases", "Seconds")
    for case in sorted(results.cases, key=lambda case: -case.seconds)[:SLOWEST]:
        table.add_row(case.name, f"{case.seconds:.2f}")
    console.print(table)
