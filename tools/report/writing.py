"""Writes all reports of a run: the text, the page, the history over runs, and the summary for GitHub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from acceptance.errors import SuiteError
from tools.report import facts, history, markdown, page
from tools.report.findings import Finding
from tools.report.results import Results

SUMMARY = "GITHUB_STEP_SUMMARY"
MOST_SHOWN = 15  # findings on the console
MOST_BYTES = 1_000_000  # GitHub shows no summary of more than 1 MiB


@dataclass(frozen=True)
class Reports:
    """The reports' paths; ``dashboard`` is None where there is no history, and ``trouble`` says why."""

    text: Path
    page: Path
    dashboard: Path | None
    trouble: str = ""
    findings: tuple[Finding, ...] = ()


def write(where: Path, results: Results | None = None) -> Reports:
    """Write all reports of a run.

    Args:
        where: the run's folder.
        results: what came of the cases; read from output.xml where it is not at hand.
    """
    dashboard, trouble = None, ""
    with ThreadPoolExecutor(1) as meanwhile:  # the dashboard is a process of its own
        adding = meanwhile.submit(history.add, where)
        found = facts.gather(where, results)
        text = markdown.write(found)
    try:
        dashboard = adding.result()
    except SuiteError as error:  # a run's verdict and its own reports do not depend on the history
        trouble = str(error)
    return Reports(text, page.write(found), dashboard, trouble, tuple(found.findings))  # the page links the dashboard


def lines(reports: Reports) -> Iterator[str]:
    """Say what was found, and where the reports are."""
    if reports.findings:
        yield f"{len(reports.findings)} {'finding' if len(reports.findings) == 1 else 'findings'}:"
    for one in reports.findings[:MOST_SHOWN]:
        yield f"  {one.id} {one.severity} {one.title}: {one.name} ({one.invariant}); {len(one.cases)} cases."
    if len(reports.findings) > MOST_SHOWN:
        yield f"  and {len(reports.findings) - MOST_SHOWN} more."
    yield f"Report: {reports.text}"
    yield f"Page:   {reports.page}"
    if reports.dashboard:
        yield f"Runs:   {reports.dashboard}"
    if reports.trouble:
        yield f"The history over runs was not kept: {reports.trouble}"


def step_summary(reports: Reports) -> None:
    """Append the text to the summary of a GitHub step, where there is one."""
    path = os.environ.get(SUMMARY)
    if not path:
        return
    text = reports.text.read_bytes()
    if len(text) > MOST_BYTES:
        text = text[:MOST_BYTES].rpartition(b"\n")[0] + b"\n\nThe rest stands in the run's final-report.md.\n"
    with Path(path).open("ab") as file:
        file.write(text + b"\n")
