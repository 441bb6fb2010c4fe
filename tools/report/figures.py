"""The figures of a report; each comes from what was measured, with nothing added."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from tools.report.logs import records

CONFIDENCE = 0.95


def failure_bound(failed: int, judged: int, confidence: float = CONFIDENCE) -> float:
    """Return the exact (Clopper-Pearson) upper bound on the failure rate.

    Args:
        failed: how many cases failed.
        judged: how many passed or failed.
        confidence: how often a bound found this way holds.

    Returns:
        The rate at which ``failed`` or fewer failures in ``judged`` would be seen with probability 1 - confidence;
        1.0 when every case failed, or none was judged.
    """
    if failed >= judged:
        return 1.0
    from scipy.special import betaincinv  # half a second; only a report needs it

    return float(betaincinv(failed + 1, judged - failed, confidence))


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least a share of the values does not exceed (nearest rank)."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latencies(folder: Path) -> list[float]:
    """Read how long each logged call took, in milliseconds, from a run's logs."""
    return [float(record["response"]["latency_ms"]) for record in records(folder)]
