"""The conditions under which a report says "production-ready"; each is stated, and printed with what was found."""

from __future__ import annotations

from dataclasses import dataclass

from tools.report.facts import SUITE, Facts

MOST_FLAKY = 0.01  # the seed's target


@dataclass(frozen=True)
class Condition:
    """One condition, whether it holds, and what was found."""

    name: str
    holds: bool
    found: str


def conditions(facts: Facts) -> list[Condition]:
    """List the conditions in the order in which a reader asks for them."""
    counts, arguments = facts.results.counts, facts.record["arguments"]
    p0, failed = len(facts.results.p0), counts["FAIL"]
    whole = facts.is_whole
    overlays = arguments.get("overlays") or []
    missed = [measure.name for measure in facts.performance if measure.verdict not in ("target met", "acceptable")]
    return [
        Condition("No class is lost or given away, no data contradict each other", not p0, f"{p0:,} P0 failures"),
        Condition("No case fails for any other reason", failed == p0, f"{failed - p0:,} other failures"),
        Condition(
            "Every planned case came to an end",
            not facts.missing and not facts.record["interrupted"] and facts.results.judged > 0,
            f"{facts.missing:,} without a result" + (", interrupted" if facts.record["interrupted"] else ""),
        ),
        Condition("Nothing is left unproven", not counts["SKIP"], f"{counts['SKIP']:,} cases skipped"),
        Condition(
            f"The whole suite ran: every category, at least {SUITE:,} generated cases",
            whole,
            f"{len(facts.results.cases):,} cases" + ("" if whole else ", a part of the suite"),
        ),
        _covered(facts, "pairs", "Every possible pair of levels occurs"),
        _covered(facts, "orders with 1 stop", "Every order of two calls with one stop is run"),
        _disturbed(facts),
        Condition(f"Flakiness is below {MOST_FLAKY:.0%}", facts.flakiness < MOST_FLAKY, f"{facts.flakiness:.2%}"),
        Condition(
            "Every measure of performance is acceptable or better",
            not missed,
            f"missed: {', '.join(missed)}" if missed else "all are",
        ),
        _proven(facts),
        _drawn(facts),
        Condition(
            "The system ran as it is, with no SQL put over it",
            not overlays,
            f"{len(overlays)} overlays" if overlays else "none",
        ),
    ]


def ready(found: list[Condition]) -> bool:
    """Tell whether every condition holds."""
    return all(condition.holds for condition in found)


def _covered(facts: Facts, name: str, words: str) -> Condition:
    counts = facts.coverage.get(name)
    if counts is None:
        return Condition(words, False, "no case was generated")
    return Condition(words, counts["covered"] == counts["possible"], f"{counts['covered']:,} of {counts['possible']:,}")


def _disturbed(facts: Facts) -> Condition:
    planned = sum(count["planned"] for count in facts.disturbances.values())
    fired = sum(count["fired"] for count in facts.disturbances.values())
    words = "Every planned disturbance took place"
    return Condition(words, 0 < planned == fired, f"{fired:,} of {planned:,}")


def _proven(facts: Facts) -> Condition:
    words = "The suite was seen to find every known defect, and to accept every right system"
    proof = facts.proof
    if proof is None or not proof.judged:
        return Condition(words, False, "not measured; the command prove does it")
    total = proof.total
    found = f"{total.killed} of {total.mutants} mutants killed, {len(proof.false_alarms)} of {len(proof.controls)}"
    holds = not proof.survivors and not proof.false_alarms and bool(proof.controls)
    return Condition(words, holds, f"{found} controls red")


def _drawn(facts: Facts) -> Condition:
    words = "Programs drawn at random found nothing either"
    draws = facts.draws
    if draws is None or not draws.draws:
        return Condition(words, False, "no independent draws were made")
    return Condition(words, not draws.failures, f"{draws.failures:,} of {draws.draws:,} failed")
