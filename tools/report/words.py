"""The sentences that the reports share, so that the page and the text never say two things."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.report.facts import Facts
from tools.report.figures import CONFIDENCE, STRICT, draws_needed, failure_bound


@dataclass(frozen=True)
class Verdict:
    """What a run comes to, in a few words; ``tone`` is ok, bad or warn."""

    tone: str
    title: str
    text: str


@dataclass(frozen=True)
class Figure:
    """A figure: its name, its value, its formula with the numbers in it, and what it means."""

    name: str
    value: str
    formula: str
    meaning: str


def verdict(facts: Facts) -> Verdict:
    """Say in a few words what came of a run."""
    counts, p0, judged = facts.results.counts, len(facts.results.p0), facts.results.judged
    if p0:
        text = (
            f"{counted(p0, 'case')} of {judged:,} lost a class, gave one away, or left data that contradict each other."
        )
        return Verdict("bad", "Classes are lost", text)
    if counts["FAIL"]:
        text = f"{counted(counts['FAIL'], 'case')} of {judged:,} failed; no class was lost in them."
        return Verdict("bad", "Something is wrong", text)
    if facts.missing or facts.record["interrupted"]:
        text = f"Nothing failed, but {counted(facts.missing, 'case')} did not come to an end."
        return Verdict("warn", "Not finished", text)
    if not judged:
        return Verdict("warn", "Nothing was judged", "No case passed or failed, so nothing is known.")
    skipped = f"; {counted(counts['SKIP'], 'case')} could not be judged" if counts["SKIP"] else ""
    return Verdict("ok", "No class was lost", f"None of {counted(judged, 'case')} failed{skipped}.")


def sentences(facts: Facts) -> list[str]:
    """Say what the run allows one to conclude, and no more."""
    return [confidence(facts), power(facts)]


def confidence(facts: Facts) -> str:
    """Say how often the system may still fail: from independent draws only."""
    judged, failed = facts.results.judged, facts.results.counts["FAIL"]
    said = f"{f'{failed:,}' if failed else 'None'} of {judged:,} cases judged failed"
    chosen = f"{said}; they were chosen to meet every combination, not drawn, so no failure rate follows from them."
    draws = facts.draws
    if draws is None or not draws.draws:
        return f"{chosen} No independent draws were made."
    bounds = " and ".join(
        f"{failure_bound(draws.failures, draws.draws, level):.3%} with {level_words(level)} confidence"
        for level in (CONFIDENCE, STRICT)
    )
    return (
        f"{chosen} Of {draws.draws:,} programs drawn at random {draws.failures or 'none'} failed: the rate of failing"
        f" programs of that kind is below {bounds}."
    )


def power(facts: Facts) -> str:
    """Say what the suite finds when there is something to find."""
    proof = facts.proof
    if proof is None or not proof.judged:
        return "How many defects the suite would have found has not been measured; the command prove does it."
    total, wrong = proof.total, len(proof.false_alarms) or "none"
    return (
        f"Of {total.mutants} defects put into the studio on purpose the suite found {total.killed}; of"
        f" {len(proof.controls)} right studios built in another way it called {wrong} wrong. A green run of the whole"
        f" suite excludes a defect like these with at least {total.confidence:.1%} confidence"
        + ("." if facts.is_whole else "; this run was a part of it.")
    )


def figures(facts: Facts) -> Iterator[Figure]:
    """List the figures of a run with formula and meaning."""
    draws = facts.draws
    if draws and draws.draws:
        k, n = draws.failures, draws.draws
        for level in (CONFIDENCE, STRICT):
            rest = 1 - level
            short = f" = 1 - {rest:.5g}^(1/{n})" if not k else ""
            yield Figure(
                f"Failure rate of random programs, {level_words(level)} confidence",
                f"< {failure_bound(k, n, level):.3%}",
                f"p = BetaInv({level:.5g}; k + 1, n - k), k = {k} failed, n = {n:,} drawn{short}",
                f"Were the rate higher, {n:,} draws would bring {k} failures or fewer at most {rest:.5g} of the time.",
            )
    else:
        yield Figure(
            "Failure rate",
            "not stated",
            "Clopper-Pearson, p = BetaInv(c; k + 1, n - k)",
            "No independent draws were made, and chosen cases bound no rate."
            f" {draws_needed(1 - STRICT):,} draws without a failure would be needed to put it below {1 - STRICT:.3%}.",
        )
    for name, count in facts.coverage.items():
        share = count["covered"] / count["possible"] if count["possible"] else 1.0
        meaning = (
            "So many of the ways in which one call can overtake another at a stop are among the cases."
            if name.startswith("orders")
            else f"So many of all possible {name} of levels meet in at least one generated case."
        )
        yield Figure(words(name), f"{share:.2%}", f"{count['covered']:,} / {count['possible']:,}", meaning)
    for kind, count in facts.disturbances.items():
        if count["planned"]:
            yield Figure(
                f"Disturbances: {words(kind).lower()}",
                f"{count['fired'] / count['planned']:.2%}",
                f"{count['fired']:,} fired / {count['planned']:,} planned, in {count['cases']:,} cases",
                "A disturbance that was planned and did not take place fails its case as not exercised.",
            )
    skipped, total = facts.results.counts["SKIP"], len(facts.results.cases)
    yield Figure(
        "Not proven",
        percent(skipped, total),
        f"{skipped:,} skipped / {total:,} cases",
        "The target lacks something that these cases need; nothing is known about them.",
    )
    flaky = facts.record["counts"]["flaky"]
    yield Figure(
        "Flakiness",
        percent(flaky, total),
        f"{flaky:,} flaky / {total:,} cases",
        "Failed without breaking a promise, then passed when run again. A class lost once stays a failure.",
    )


def shards(record: dict[str, Any]) -> Iterator[str]:
    """Say that a run is a part of one, or that parts of it are missing."""
    if part := record["arguments"].get("shard"):
        yield f"This is shard {part} of a run; `report --merge` joins it with the others."
    for part in record.get("missing_shards", ()):
        yield f"Shard {part} is missing: nothing is known of its cases."


def machines(found: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """List what is told of each machine of a merged run, in the table's order."""
    for one in found:
        told = [one.get(name) for name in ("cpu_mean", "cpu_most", "load_most")]
        numbers = ["-" if value is None else f"{value:.1f}" for value in told]
        counts = [one["cores"], one["workers"], one["cases"], f"{one['seconds']:,.1f} s"]
        yield [one["shard"], one.get("name") or "-", *counts, *numbers]


DETECTION = (
    "Found at least: the exact (Clopper-Pearson) lower bound, with 95% confidence, of the probability that the suite"
    " finds a defect of the family: p_low = BetaInv(0.05; k, n - k + 1) for k of n mutants killed, which is 0.05^(1/n)"
    " when all were. Excluded by a green run: p_low - 0.05. A green run misleads if the proof was lucky (at most 0.05)"
    " or the defect was missed (at most 1 - p_low); both added up are taken off. Few mutants allow no strong claim,"
    " however well they were found, and a second green run adds nothing: what the suite cannot see once, it may never"
    " see. All of it is about a run of the whole suite, and about defects that resemble the mutants: these were thought"
    " of, not drawn."
)


def words(name: str) -> str:
    """Write a name as the beginning of a sentence."""
    return name.replace("-", " ").replace("_", " ").capitalize()


def percent(count: int, total: int) -> str:
    """Write a share of a total."""
    return f"{count / total:.2%}" if total else "-"


def level_words(level: float) -> str:
    """Write a level of confidence, such as 99.999%."""
    return f"{level * 100:.5g}%"


def counted(number: int, noun: str) -> str:
    """Write a number of things: "1 case", "2 cases"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
