"""Keeps the history over runs with robotframework-dashboard: ``results/dashboard.html``, which needs no network.

It reads an output.xml without steps, a twentieth of the size: the history is about cases, and what went on inside of
one stands in the run's own log.html.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson

from acceptance.errors import SuiteError
from tools.report import steps
from tools.run import folder

DASHBOARD = "dashboard.html"
DATABASE = "history.db"
TITLE = "Does it ever lose a class?"
SECONDS = 60


def add(where: Path) -> Path | None:
    """Add a run to the history beside it and write its page; a run that is there already is not added twice.

    Args:
        where: the run's folder.

    Returns:
        The page's path; None where the run has no output.xml.

    Raises:
        SuiteError: when the page could not be made.
    """
    output = where / folder.OUTPUT
    if not output.is_file():
        return None
    results = where.resolve().parent
    page = results / DASHBOARD
    with tempfile.TemporaryDirectory() as place:
        slim = Path(place) / f"output_{where.resolve().name}.xml"  # the dashboard calls the run what follows "output_"
        steps.leave_out(output, slim, ("PASS", "FAIL", "SKIP"))
        command = [sys.executable, "-m", "robotframework_dashboard.main", "-o", ":".join([str(slim), *_tags(where)])]
        command += ["-d", str(results / DATABASE), "-n", str(page), "-t", TITLE, "--offlinedependencies"]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        try:
            done = subprocess.run(  # noqa: S603 - our own command line
                command, cwd=place, env=environment, capture_output=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise SuiteError(f"{page}: robotframework-dashboard took more than {SECONDS} s.") from None
    if done.returncode or not page.is_file():
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise SuiteError(f"{page}: robotframework-dashboard failed: {said[-1] if said else done.returncode}")
    return page


def _tags(where: Path) -> list[str]:
    """Name the environment and the overlays, so that the history of one system can be looked at alone."""
    path = where / folder.RECORD
    if not path.is_file():
        return []
    record = orjson.loads(path.read_bytes())
    overlays = [Path(overlay).stem for overlay in record["arguments"]["overlays"]]
    return [re.sub(r"[^\w.-]", "-", name) for name in (record["environment"]["name"], *overlays)]
