"""Leaves the steps of tests out of an output.xml, where nobody needs them and there are too many."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from xml.etree import ElementTree

# What stays of a suite and of a test; everything else are steps.
KEPT = ("suite", "test", "doc", "meta", "tag", "timeout", "status")


def leave_out(output: Path, shorter: Path, of: Collection[str] = ("PASS",)) -> None:
    """Write an output.xml without steps; one test after the other, so that it never holds them all.

    Args:
        output: what Robot Framework has written.
        shorter: where to write; may be the same file, which is then replaced as a whole.
        of: the statuses of suites and tests whose steps are left out; of others everything is kept.
    """
    events = ElementTree.iterparse(output, events=("start", "end"))  # noqa: S314 - written by ourselves
    _, root = next(events)
    for event, element in events:
        status = element.find("status") if event == "end" and element.tag in ("suite", "test") else None
        if status is not None and status.get("status") in of:
            element[:] = [part for part in element if part.tag in KEPT]
    written = shorter.with_suffix(".unfinished")
    ElementTree.ElementTree(root).write(written, encoding="UTF-8", xml_declaration=True)
    written.replace(shorter)
