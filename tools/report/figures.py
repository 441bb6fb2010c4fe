"""The figures of a report; each comes from what was measured, with nothing added.

Two bounds, both exact (Clopper-Pearson, one-sided), both with their formula beside the number wherever it is printed:

* ``failure_bound``: how often a system may still fail after n independent draws of which k failed. Only independent
  draws may feed it; the generated cases are chosen, not drawn, so it says nothing about them.
* ``detection_bound``: how likely at least the suite finds a defect of a class, after k of n mutants of it were killed.

From the second follows what a green run is worth (``green_confidence``). It holds as far as defects to come resemble
the mutants: those were thought of, not drawn, and no formula mends that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CONFIDENCE = 0.95
STRICT = 0.99999  # the seed's figure


def failure_bound(failed: int, judged: int, confidence: float = CONFIDENCE) -> float:
    """Return the exact (Clopper-Pearson) upper bound on the failure rate.

    Args:
        failed: how many draws failed.
        judged: how many passed or failed; independent draws only.
        confidence: how often a bound found this way holds.

    Returns:
        The rate at which ``failed`` or fewer failures in ``judged`` would be seen with probability 1 - confidence:
        BetaInv(confidence; failed + 1, judged - failed); 1.0 when every draw failed, or none was judged.
    """
    if failed >= judged:
        return 1.0
    from scipy.special import betaincinv  # half a second; only a report needs it

    return float(betaincinv(failed + 1, judged - failed, confidence))


def draws_needed(rate: float, confidence: float = CONFIDENCE) -> int:
    """Return how many draws without a failure bound the failure rate by ``rate``: ln(1 - c) / ln(1 - rate)."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def detection_bound(killed: int, mutants: int, confidence: float = CONFIDENCE) -> float:
    """Return the exact (Clopper-Pearson) lower bound on the probability that the suite finds a defect of a class.

    Args:
        killed: how many mutants of the class were killed.
        mutants: how many there are, without those that are equivalent to the right system.
        confidence: how often a bound found this way holds.

    Returns:
        The probability at which ``killed`` or more of ``mutants`` would be killed by chance 1 - confidence:
        BetaInv(1 - confidence; killed, mutants - killed + 1), which is (1 - confidence)^(1 / mutants) when all were;
        0.0 when none was killed, or there is none.
    """
    if killed <= 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(killed, mutants - killed + 1, 1 - confidence))


def green_confidence(killed: int, mutants: int, confidence: float = CONFIDENCE) -> float:
    """Return how sure a green run makes us that the system has no defect of a class.

    A green run misleads in two ways. Either the proof was lucky, and the suite finds less than ``p_low =
    detection_bound(...)``: at most 1 - confidence. Or a defect was there and was missed: at most 1 - p_low. Added up
    (the union bound), what is left is p_low - (1 - confidence). A second green run adds nothing here: what the suite
    cannot see once, it may never see.

    Args:
        killed: how many mutants of the class were killed.
        mutants: how many there are, without the equivalent ones.
        confidence: of the bound on detection.
    """
    return max(0.0, detection_bound(killed, mutants, confidence) - (1 - confidence))


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least a share of the values does not exceed (nearest rank)."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
