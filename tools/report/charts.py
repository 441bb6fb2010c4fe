"""Draws the two charts of the page: latency by operation, and the run over time with the machine's load.

Drawn by pygal: it makes small static SVG (10 to 30 kB a chart, in some 10 ms, no script, no font file), and takes CSS
variables as colours, so that one drawing serves light and dark. Plotly or Vega would put 1 to 5 MB of script into
each page; matplotlib's colours cannot follow the reader's, and it takes a second to load and 60 MB to install. Heat
maps and the kill matrix are tables: a browser draws them best, they scroll on a phone, a screen reader can read them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pygal
from pygal.graph.graph import Graph
from pygal.style import Style

from tools.report.facts import Facts
from tools.report.figures import percentile

WIDTH = 620
SHARES = (0.5, 0.9, 0.99)
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)  # seconds
MOST_BARS = 40
LABELS = 8


def _settings(colours: Sequence[str]) -> dict[str, object]:
    """Return what the charts have in common; ``colours`` are the page's CSS variables."""
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--ink)",
        foreground_strong="var(--ink)",
        foreground_subtle="var(--soft)",
        guide_stroke_color="var(--line)",
        major_guide_stroke_color="var(--line)",
        colors=tuple(f"var(--{name})" for name in colours),
        opacity="1",
        font_family="inherit",
        label_font_size=14,
        major_label_font_size=14,
        legend_font_size=15,
        title_font_size=16,
    )
    return {
        "style": style,
        "js": (),  # pygal's own would be fetched from the network
        "disable_xml_declaration": True,
        "width": WIDTH,
        "legend_at_bottom": True,
        "legend_box_size": 12,
        "truncate_label": -1,
        "margin": 8,
    }


def latency(facts: Facts) -> str:
    """Draw the percentiles of each operation's latency, in milliseconds; empty where nothing was called."""
    if not facts.calls:
        return ""
    names = sorted(facts.calls, reverse=True)
    slowest = max(percentile(values, SHARES[-1]) or 1.0 for values in facts.calls.values())
    top = 10 ** math.ceil(math.log10(max(slowest, 10.0)))
    chart = pygal.HorizontalBar(
        **_settings(("bar-light", "bar", "bar-dark")),
        height=90 + 52 * len(names),
        logarithmic=True,
        range=(1, top),
        zero=1,  # where the bars of a logarithmic axis begin
        legend_at_bottom_columns=len(SHARES),
        margin_right=34,
        margin_bottom=24,
        y_labels=[10**power for power in range(len(str(top)))],
        value_formatter=lambda value: f"{value:,.0f}",
        x_title="milliseconds",
    )
    chart.x_labels = [name.replace("_", " ") for name in names]
    for share in SHARES:
        values = [max(percentile(facts.calls[name], share) or 1.0, 1.0) for name in names]
        chart.add(f"p{share * 100:.0f}", values)
    return _still(chart)


def timeline(facts: Facts) -> list[str]:
    """Draw what ended when, and below it the machine's load; empty where nothing ended."""
    began = datetime.fromisoformat(facts.record["started"])
    ends = [(_seconds(began, c.started, c.seconds), c.status) for c in facts.results.cases if c.started]
    if not ends:
        return []
    last = max([second for second, _ in ends] + [_seconds(began, _at(s), 0) for s in facts.samples])
    step = next((step for step in STEPS if last / step <= MOST_BARS), STEPS[-1])
    buckets = int(last // step) + 1
    loads = [_load(samples, name, cores, began, step, buckets) for samples, name, cores in _machines(facts)]
    return [drawn for drawn in (_ended(ends, step, buckets), *loads) if drawn]


def _machines(facts: Facts) -> list[tuple[list[dict[str, Any]], str, int]]:
    """Return each machine's samples, what it is called and how many cores it has: one, or one for each shard."""
    found = facts.record.get("machines")
    if not found:
        return [(facts.samples, "the machine", facts.record.get("machine", {}).get("cores") or 1)]
    return [
        (
            [sample for sample in facts.samples if sample.get("shard") == int(one["shard"].partition("/")[0])],
            f"machine {one['shard']}, {one.get('name') or 'unnamed'}",
            one.get("cores") or 1,
        )
        for one in found
    ]


def _ended(ends: list[tuple[float, str]], step: int, buckets: int) -> str:
    words = {
        "PASS": ("passed", "ok"),
        "FAIL": ("failed", "bad"),
        "SKIP": ("skipped", "skip"),
        "NOT RUN": ("not run", "soft"),
    }
    shown = {status: words[status] for status in words if any(status == found for _, found in ends)}
    settings = _settings([colour for _, colour in shown.values()])
    chart = pygal.StackedBar(
        **settings, height=260, title=f"Cases that ended, each {_span(step)}", **_times(step, buckets)
    )
    for status, (name, _) in shown.items():
        counts = Counter(min(int(second // step), buckets - 1) for second, found in ends if found == status)
        chart.add(name, [counts[number] or None for number in range(buckets)])
    return _still(chart)


def _load(samples: list[dict[str, Any]], name: str, cores: int, began: datetime, step: int, buckets: int) -> str:
    if not samples:
        return ""
    placed: dict[int, list[dict[str, float]]] = {}
    for sample in samples:
        placed.setdefault(int(_seconds(began, _at(sample), 0) // step), []).append(sample)
    chart = pygal.Line(
        **_settings(("bar", "warn")),
        height=240,
        show_dots=False,
        title=f"Load of {name} ({cores} cores)",
        value_formatter=lambda value: f"{value:,.0f}%",
        range=(0, None),
        include_x_axis=True,
        **_times(step, buckets),
    )
    drawn: dict[str, Callable[[dict[str, float]], float]] = {
        "CPU busy": lambda sample: sample["cpu_percent"],
        "load per core": lambda sample: 100 * sample["load"] / cores,
    }
    for name, value in drawn.items():
        means = [[value(sample) for sample in placed.get(number, ())] for number in range(buckets)]
        chart.add(name, [round(sum(found) / len(found), 1) if found else None for found in means])
    return _still(chart)


def _still(chart: Graph) -> str:
    """Render a chart without the settings that pygal leaves for its script, which is not there."""

    def without_scripts(root: Any) -> Any:
        for parent in list(root.iter()):
            for child in [child for child in parent if str(child.tag).endswith("script")]:
                parent.remove(child)
        return root

    chart.add_xml_filter(without_scripts)
    return str(chart.render(is_unicode=True))


def _times(step: int, buckets: int) -> dict[str, object]:
    labels = [_span(number * step) for number in range(buckets)]
    every = max(1, -(-buckets // LABELS))
    return {"x_labels": labels, "x_labels_major": labels[::every], "show_minor_x_labels": False}


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds / 60:g} min"


def _seconds(began: datetime, moment: datetime, more: float) -> float:
    return max(0.0, (moment + timedelta(seconds=more) - began).total_seconds())


def _at(sample: dict[str, object]) -> datetime:
    return datetime.fromisoformat(str(sample["at"]))
