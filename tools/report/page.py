"""Writes final-report.html: the run on one page, for people who would rather look than read.

One file that needs nothing else: no script, no network, no font; Jinja2 fills ``page.html.j2`` (everything that comes
from a run is escaped), ``charts`` draws. Light and dark follow the reader's setting; wide tables scroll on a phone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tools.report import charts, heat, history, readiness, unproven, words
from tools.report.facts import Facts
from tools.report.figures import percentile

FILE = "final-report.html"
MOST_CASES = 25  # of a finding; the rest stands in report.html
MOST_FINDINGS = 40
MOST_SLOW = 8


def write(facts: Facts) -> Path:
    """Write the page of a run into its folder, and return its path."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": words.words, "percent": words.percent}
    path = facts.where / FILE
    path.write_text(environment.get_template("page.html.j2").render(_context(facts)), encoding="utf-8")
    return path


def _context(facts: Facts) -> dict[str, Any]:
    found = readiness.conditions(facts)
    grids = heat.grids(facts.table, facts.results.cases)
    return {
        "facts": facts,
        "record": facts.record,
        "results": facts.results,
        "counts": facts.results.counts,
        "verdict": words.verdict(facts),
        "sentences": words.sentences(facts),
        "conditions": found,
        "ready": readiness.ready(found),
        "findings": facts.findings[:MOST_FINDINGS],
        "most_cases": MOST_CASES,
        "folders": {path.name for path in (facts.where / "failures").glob("*") if path.is_dir()},
        "categories": sorted(facts.results.by_category().items()),
        "choices": facts.results.choices(),
        "reasons": unproven.of(facts.results),
        "grids": grids,
        "factors": heat.NAMES if grids else (),
        "named": heat.WORDS,
        "opened": _opened(grids),
        "latency": Markup(charts.latency(facts)),  # noqa: S704 - pygal escapes what it draws
        "percentiles": {
            name: [len(values), *(percentile(values, share) for share in charts.SHARES), max(values)]
            for name, values in facts.calls.items()
        },
        "timeline": [Markup(chart) for chart in charts.timeline(facts)],  # noqa: S704 - pygal escapes what it draws
        "slowest": _slowest(facts),
        "shards": list(words.shards(facts.record)),
        "machines": list(words.machines(facts.record.get("machines", []))),
        "formulas": list(words.figures(facts)),
        "detection": words.DETECTION,
        "dashboard": (facts.where.parent / history.DASHBOARD).is_file(),
    }


def _opened(grids: dict[tuple[str, str], heat.Grid]) -> tuple[str, str] | None:
    """Choose the table that is shown at once: the one in which failures gather most, else what a reader expects."""
    failing = {names: grid.worst[1] for names, grid in grids.items() if grid.worst}
    if failing:
        return max(failing, key=lambda names: (failing[names].cases >= heat.FEWEST, failing[names].share))
    return ("device", "when") if grids else None


def _slowest(facts: Facts) -> list[tuple[Any, dict[str, Any]]]:
    """Set the slowest cases beside the machine at that moment."""
    slow = sorted(facts.results.cases, key=lambda case: -case.seconds)[:MOST_SLOW]
    return [(case, facts.beside(case)) for case in slow]
