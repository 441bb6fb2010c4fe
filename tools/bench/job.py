"""The benchmark: the same functional cases by four drivers, side by side, in turn, on one studio."""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import orjson
import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from acceptance import embedded
from acceptance.datafiles import ROOT
from acceptance.embedded import Studio
from tools import generator
from tools.bench import measure
from tools.bench.measure import Cost
from tools.selftest.clone import make_clone

RESULT = ROOT / "results" / "bench.json"
SEED = 20251024
WIDTH = 130  # the table's; narrower, it would say nothing
DRIVERS = {
    "a": "run: Robot Framework and pabot, with log and report",
    "b": "bare threads: the same client, checks and snapshots",
    "c": "pytest-xdist: the same as pytest tests",
    "d": "the database work alone, by direct calls",
}


class Setting(NamedTuple):
    """How many cases, by how many workers."""

    cases: int
    workers: int


class Plan(NamedTuple):
    """What is measured: numbers of cases, each with numbers of workers, and how often."""

    counts: tuple[int, ...]
    workers: tuple[int, ...]
    rounds: int


QUICK = Plan((247,), (2,), 3)
WHOLE = Plan((247, 1247, 5000), (2, 4, 20), 3)


def bench(plan: Plan, console: Console) -> list[dict[str, Any]]:
    """Measure all drivers in all settings, in turn.

    Args:
        plan: the settings; of the rounds, the medians count.
        console: where to say what is being done.

    Returns:
        One record per setting and driver: seconds, cases per second, CPU milliseconds per case by part, memory.
    """
    settings = [Setting(count, number) for count in plan.counts for number in plan.workers]
    costs: dict[tuple[Setting, str], list[Cost]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        clone = make_clone(Path(place) / "clone", suites={"none"})
        (clone / "pytest.ini").write_text("[pytest]\n")
        with closing(embedded.attach(clone / "tools" / "studio" / "supervisor.py")) as studio:
            for number in range(1, plan.rounds + 1):
                for setting in settings:
                    table = _table(clone, setting.cases)
                    for driver in DRIVERS:
                        words = f"round {number} of {plan.rounds}: {setting.cases} cases, {setting.workers} workers"
                        with console.status(f"{words}: {DRIVERS[driver]}"):
                            cost = _measured(driver, setting, clone, table, studio)
                        console.print(f"{words}, ({driver}) {cost.seconds:.1f} s", highlight=False)
                        costs.setdefault((setting, driver), []).append(cost)
    return [_record(setting, driver, found) for (setting, driver), found in costs.items()]


def _table(clone: Path, count: int) -> Path:
    path = clone / f"cases-{count}.json"
    if not path.exists():
        table = generator.generate(count=count, seed=SEED, env="embedded", category="functional", full=False)
        generator.write_table(table, path)
    return path


def _measured(driver: str, setting: Setting, clone: Path, table: Path, studio: Studio) -> Cost:
    """Run one driver once."""
    count, workers = str(setting.cases), str(setting.workers)
    variables = {"PYTHONPATH": f"{clone}:{clone / 'libraries'}", "BENCH_TABLE": str(table)}
    with tempfile.TemporaryDirectory(prefix="bench-evidence-") as folder:
        variables["BENCH_FOLDER"] = folder
        run = [sys.executable, "tools/pilates.py", "run"]
        # As a team that uses it would have it: without the plug-ins of this project's other packages.
        variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "no:cacheprovider"]
        bare = [sys.executable, "-m", "tools.bench.drive", str(table), workers, folder]
        command = {
            "a": [*run, "--category", "functional", "--count", count, "--processes", workers],
            "b": bare,
            "c": [*pytest, "-n", workers, "tools/bench/pytest_cases.py"],
            "d": [*bare, "--direct"],
        }[driver]
        return measure.run(command, clone, studio, **variables)


def _record(setting: Setting, driver: str, found: list[Cost]) -> dict[str, Any]:
    seconds = median(cost.seconds for cost in found)
    parts = found[0].cpu
    return {
        "cases": setting.cases,
        "workers": setting.workers,
        "driver": driver,
        "rounds": len(found),
        "seconds": round(seconds, 1),
        "per_second": round(setting.cases / seconds, 1),
        "cpu_ms": {part: round(median(c.cpu[part] for c in found) * 1000 / setting.cases, 1) for part in parts},
        "memory_mb": round(median(cost.memory for cost in found)),
        "largest_mb": round(median(cost.largest for cost in found)),
    }


def show(records: list[dict[str, Any]], console: Console) -> None:
    """Print the records and the ratios to the suite's own speed."""
    told = f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, Python {sys.version.split()[0]}"
    table = Table(box=box.MARKDOWN)
    parts = list(records[0]["cpu_ms"])
    for name in ("cases", "workers", "by", "s", "cases/s", "(a) to it", *parts, "MB", "largest"):
        table.add_column(name, justify="right", no_wrap=True)
    speeds = {(r["cases"], r["workers"], r["driver"]): r["per_second"] for r in records}
    for r in records:
        ratio = speeds[r["cases"], r["workers"], "a"] / r["per_second"]
        cells = [r["cases"], r["workers"], r["driver"], r["seconds"], r["per_second"], f"{ratio:.2f}"]
        cells += [*r["cpu_ms"].values(), r["memory_mb"], r["largest_mb"]]
        table.add_row(*map(str, cells))
    console.width = max(console.width, WIDTH)
    console.print(f"Functional cases on {told}; CPU in milliseconds per case, memory in MB.\n", highlight=False)
    console.print(table)
    for driver, words in DRIVERS.items():
        console.print(f"({driver}) {words}", highlight=False)


def keep(records: list[dict[str, Any]], path: Path) -> None:
    """Write the records as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(records, option=orjson.OPT_INDENT_2))
