"""Turns failed cases into findings: one entry for each distinct defect, however many cases it has made red.

A case is attributed to what broke first in it: one invariant (of several the one that names the cause most directly),
the operations of that step, and the condition under which it broke: alone, repeated, disturbed, at the same time as
others. Then the simpler condition explains the harder one: where a cancellation already loses a class when nothing
else happens, the races and faults in which it loses one too are no findings of their own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from acceptance import invariants
from acceptance.clues import AFTERWARDS, TELLING, Around
from acceptance.conditions import NETWORK, OUTSIDERS, Kind
from tools.report import symptoms
from tools.report.results import Case, Results
from tools.report.symptoms import EXPECTATION, LOOKS, PLACES, RIGHTS, SIGHT, UNJUDGED, WRITES, Symptom

FILE = "findings.json"
DOING = {
    "book": "booking",
    "cancel": "cancelling",
    "reschedule": "moving a booking",
    "admin_remove": "removal by the front desk",
    "confirm_attendance": "ticking off",
    "credit": "crediting",
    "expire": "the check for expired deposits",
    "switch_off": "switching a class off",
    "resize": "giving a class other places",
    "call_off": "deleting a class",
    "move_start": "moving the start of a class",
    "end_deposit": "the end of a deposit",
    LOOKS: "what people are shown",
    WRITES: "Around the studio's operations",
}

# Who has no right to anything of a member's, one by one; a stranger among them, it is anybody.
UNKNOWN = {
    "visitor": "whoever has not signed in",
    "unknown": "somebody whom the studio does not know",
    "pretender": "whoever calls herself an administrator",
}
# What it means that somebody may who must not, of each operation.
MAY = {
    "book": "{} can book for anybody",
    "cancel": "{} can cancel anybody's booking",
    "reschedule": "{} can move anybody's booking",
    "admin_remove": "{} can take anybody out of a class",
    "confirm_attendance": "{} can tick anybody off",
    "credit": "{} can credit classes",
    "expire": "{} can start the check for expired deposits",
}


CONDITIONS = {
    Kind.ALONE: "also when nothing else happens",
    Kind.OUTSIDER: "asked for by somebody who may not",
    Kind.REPEATED: "when the request is sent again",
    Kind.NETWORK: "when the network loses or doubles something",
    Kind.CALENDAR: "when the calendar fails",
    Kind.DATABASE: "when the database fails on the way",
    Kind.TOGETHER: "at the same time",
    Kind.CRASH: "when something is killed",
}


@dataclass
class Finding:
    """One defect, as far as failures can tell."""

    symptoms: list[Symptom]
    tried: int = 0
    failed: int = 0
    id: str = ""

    @property
    def first(self) -> Symptom:
        """The simplest case that shows it, of what names it, each time where there is one: the evidence."""
        leads = self.symptoms[0].invariant
        return min(
            self.symptoms,
            key=lambda one: (one.kind, one.invariant != leads, not one.steered, one.calls, one.case.id),
        )

    @property
    def kind(self) -> Kind:
        """The simplest condition under which it broke."""
        return min(one.kind for one in self.symptoms)

    @property
    def invariant(self) -> str:
        """The invariant that names it."""
        return self.first.invariant

    @property
    def severity(self) -> str:
        """The worst severity of its cases."""
        return min(one.severity for one in self.symptoms)

    @property
    def operations(self) -> list[str]:
        """What was asked in most cases that show it under its simplest condition, the most usual first."""
        simplest = [one for one in self.symptoms if one.kind == self.kind]
        counts = Counter(name for one in simplest for name in sorted(one.operations))
        usual = [name for name, count in counts.most_common() if 2 * count >= len(simplest)]
        return usual or [name for name, _ in counts.most_common(1)]

    @property
    def consequences(self) -> dict[str, str]:
        """What else broke along with it: invariant, and what was said of it."""
        told = {name: words for one in self.symptoms for name, words in one.broken.items() if name != self.invariant}
        return dict(sorted(told.items(), key=lambda item: symptoms.rank(item[0])))

    @property
    def cases(self) -> list[Case]:
        """The cases it explains, the evidence first."""
        return list({one.case.id: one.case for one in (self.first, *self.symptoms)}.values())

    @property
    def name(self) -> str:
        """What always must hold, and did not."""
        if self.invariant in invariants.CHECKS:
            return invariants.described()[self.invariant]["name"]
        words = {EXPECTATION: "the studio answers as its rules say", UNJUDGED: "the case can be judged"}
        return words[self.invariant]

    @property
    def title(self) -> str:
        """What is done when it breaks, under which conditions, and what comes of it, in a few words."""
        if self.invariant == UNJUDGED:
            return "Cases that could not be judged"
        if self.operations == [WRITES]:
            return f"{DOING[WRITES]}: {self.first.sentence.rstrip('.')}"
        if self.invariant == RIGHTS:
            doing = " and ".join(MAY[name].format(self.who) for name in self.operations if name in MAY)
            return f"{doing[0].upper()}{doing[1:]}" if doing else self.first.sentence.rstrip(".")
        names = [DOING.get(name, name) for name in self.operations if name != AFTERWARDS]
        doing = " or ".join(names) or "a case"
        doing = " ".join([doing, *self.around])
        outcome = next((f": {row}" for row in self.first.rows if row in TELLING and self.invariant != SIGHT), "")
        if self.invariant == PLACES and self.first.detail:
            outcome = ": the schedule shows another number than is booked"
        later = ", after the answer" if AFTERWARDS in self.operations else ""
        return f"{doing[0].upper()}{doing[1:]}{later}, {CONDITIONS[self.kind]}{outcome}"

    @property
    def who(self) -> str:
        """Who can do what they must not."""
        callers = {name for one in self.symptoms for name in one.callers}
        if callers <= OUTSIDERS:
            return UNKNOWN[callers.pop()] if len(callers) == 1 and not callers & {"stranger"} else "anybody"
        return " or ".join(f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in sorted(callers))

    @property
    def around(self) -> list[str]:
        """What was so in every case that shows it under its simplest condition."""
        simplest = [one.around for one in self.symptoms if one.kind == self.kind]
        shared = frozenset.intersection(*simplest)
        return [str(one) for one in Around if one in shared]

    @property
    def explains(self) -> str:
        """Why that is likely."""
        if self.first.hypotheses:
            best = self.first.hypotheses[0]
            return f"{best.name[0].upper()}{best.name[1:]}: {best.explains}"
        return invariants.described()[self.invariant]["causes"] if self.invariant in invariants.CHECKS else ""

    @property
    def because(self) -> str:
        """What speaks for it: the rows, what was so before, and the catalogue."""
        return "; ".join(self.first.hypotheses[0].because) if self.first.hypotheses else ""

    @property
    def alternatives(self) -> list[str]:
        """What the evidence leaves as likely."""
        return [f"{one.name}: {one.explains}" for one in self.first.hypotheses[1:]]

    @property
    def fix(self) -> str:
        """What would mend it."""
        if self.first.hypotheses:
            return self.first.hypotheses[0].fix
        return invariants.described()[self.invariant]["fix"] if self.invariant in invariants.CHECKS else ""

    @property
    def sql(self) -> str:
        """The same in SQL, with the target's own names; empty where words say it better."""
        return self.first.hypotheses[0].sql if self.first.hypotheses else ""

    @property
    def evidence(self) -> str:
        """The folder of the evidence, below the run's."""
        return f"failures/{self.first.case.id}"

    def record(self) -> dict[str, Any]:
        """Return it as ``findings.json`` has it."""
        return {
            "id": self.id,
            "severity": self.severity,
            "invariant": self.invariant,
            "name": self.name,
            "title": self.title,
            "sentence": self.first.sentence,
            "operations": self.operations,
            "condition": self.kind.name.lower(),
            "failed": self.failed,
            "tried": self.tried,
            "consequences": self.consequences,
            "evidence": self.evidence,
            "replay": f"python3 tools/pilates.py replay {self.first.case.id}",
            "hypothesis": self.explains,
            "because": self.because,
            "alternatives": self.alternatives,
            "fix": self.fix,
            "sql": self.sql,
            "cases": [case.id for case in self.cases],
        }


def find(where: Path, results: Results, logged: Iterable[dict[str, Any]]) -> list[Finding]:
    """List the findings of a run, the gravest first, and write them as ``findings.json``.

    Args:
        where: the run's folder, with the folders of its failures.
        results: what came of the cases.
        logged: the records of all calls; they tell how often a condition was met.
    """
    seen = [symptom for case in results.failures for symptom in symptoms.of_case(where, case)]
    found = _merged(sorted(seen, key=lambda one: (one.kind, symptoms.rank(one.invariant), one.case.id)))
    met = _met(logged) if found else {}  # which takes some time
    for finding in found:
        _count(finding, met)
    found.sort(key=lambda one: (one.severity, one.invariant == UNJUDGED, -len(one.symptoms), one.first.case.id))
    for number, finding in enumerate(found, 1):
        finding.id = f"F-{number}"
    if found:
        options = orjson.OPT_INDENT_2
        (where / FILE).write_bytes(orjson.dumps([one.record() for one in found], option=options))
    return found


def _merged(seen: list[Symptom]) -> list[Finding]:
    """Put together what one defect explains; the symptoms come the simplest first."""
    found: list[Finding] = []
    for symptom in seen:
        explained = next((finding for finding in found if _explains(finding, symptom)), None)
        if explained is None:
            found.append(Finding([symptom]))
        else:
            explained.symptoms.append(symptom)
    return found


def _explains(finding: Finding, symptom: Symptom) -> bool:
    """Tell whether a finding, under the same or a simpler condition, breaks what broke here, in the same operation."""
    first = finding.symptoms[0]
    if first.invariant == symptom.invariant == RIGHTS and first.detail != symptom.detail:
        return False
    rights = first.invariant == RIGHTS and not first.detail
    if rights and symptom.kind == Kind.OUTSIDER and first.operations & symptom.operations:
        return True  # whatever comes of it, it would not, were they refused
    if first.invariant == symptom.invariant == PLACES and first.detail and first.kind <= symptom.kind:
        return first.detail == symptom.detail  # one view or counter shows it, whatever was done before
    if (first.invariant in (EXPECTATION, UNJUDGED) or symptom.detail) and first.detail != symptom.detail:
        return False
    if first.invariant in (EXPECTATION, UNJUDGED) and symptom.invariant != first.invariant:
        return False
    same = symptom.invariant in (first.invariant, *first.broken) or symptom.invariant == EXPECTATION
    operations = {name for one in finding.symptoms if one.kind == first.kind for name in one.operations}
    meets = bool(operations & symptom.operations) or not symptom.operations
    harder = {Kind.REPEATED: Kind.NETWORK, Kind.TOGETHER: Kind.CRASH}  # what is killed is killed under load
    simpler = first.kind in (Kind.ALONE, symptom.kind) or harder.get(first.kind) == symptom.kind
    return same and meets and simpler


def _met(logged: Iterable[dict[str, Any]]) -> dict[str, list[tuple[Kind, frozenset[str]]]]:
    """Say of each case which operations it met, and under which conditions."""
    steps: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for record in logged:
        steps[record["test_id"], record["step"]].append(record)
    met: dict[str, list[tuple[Kind, frozenset[str]]]] = defaultdict(list)
    for (test_id, _), calls in steps.items():
        if len(calls) > 1 and not any(call["repeated"] for call in calls):
            met_as = Kind.TOGETHER
        elif any(attempt in NETWORK for call in calls for attempt in call["attempts"]):
            met_as = Kind.NETWORK
        elif any(call["actor"] in OUTSIDERS for call in calls):
            met_as = Kind.OUTSIDER
        else:
            met_as = Kind.REPEATED if calls[0]["repeated"] else Kind.ALONE
        met[test_id].append((met_as, frozenset(call["action"] for call in calls)))
    return met


def _count(finding: Finding, met: dict[str, list[tuple[Kind, frozenset[str]]]]) -> None:
    """Count in how many of the cases that met the finding's condition it showed."""
    simplest = finding.kind
    operations = {name for one in finding.symptoms if one.kind == simplest for name in one.operations}
    told = simplest in (
        Kind.ALONE,
        Kind.OUTSIDER,
        Kind.TOGETHER,
        Kind.REPEATED,
        Kind.NETWORK,
    )  # of the others no log record tells
    failed = {one.case.id for one in finding.symptoms if one.kind == simplest}
    tried = {
        test_id
        for test_id, steps in met.items()
        if any(operations & asked and (met_as == simplest or not told) for met_as, asked in steps)
    }
    everywhere = operations == {LOOKS} or finding.invariant == UNJUDGED
    finding.failed, finding.tried = len(failed), len(met.keys() | failed if everywhere else tried | failed)
