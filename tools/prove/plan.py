"""Which tests are put to a mutant, and in which order: what fits it first, then the whole general part.

The general part is fixed: what is written by hand, some generated cases of each action, and the races in every stated
order. What a test is about is read from its own sentences, what a mutant is about from its head.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log
from pathlib import Path
from typing import Any

from robot.api import TestSuite
from robot.running import TestCase, UserKeyword

from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from tools.prove.overlays import Overlay

SUITES = ROOT / "suites"
BY_HAND = ("priority", "rules")
RESOURCE = ROOT / "resources" / "studio.resource"
THOROUGH = "thorough"  # the tag of tests that do what another one does, only more of it: for controls in turn
TURNS = 16  # each control meets what every control meets, and of the rest every sixteenth test, each another one
EACH = 2  # generated cases of each action
OF_FAULTS = 10  # of the actions whose cases take another fault each
COUNT, SEED = 1247, 20251024  # the default table, of which the general part is taken
# What a test's sentences say of it. The costly ones come last unless they fit.
FEATURES = {
    "book": re.compile(r"\bbooks?\b|\bhas booked\b"),
    "cancel": re.compile(r"\bcancels?\b"),
    "reschedule": re.compile(r"\bmoves?\b"),
    "remove": re.compile(r"\bremoves\b"),
    "confirm": re.compile(r"\bconfirms\b"),
    "credit": re.compile(r"\bcredits?\b"),
    "expire": re.compile(r"\bexpire|\btime is over|\bchecks for\b"),
    "retry": re.compile(r"\brepeats\b|\btaps again\b|\btwice\b|\banswer is lost\b|\bsame key\b"),
    "fault": re.compile(r"\bdatabase (?:fails|connection|takes)\b"),
    "network": re.compile(r"\bservice (?:answers|acts)|\bon the way\b|\btruncated\b|\bstalls?\b|\bpackets\b"),
    "calendar": re.compile(r"\bcalendar(?:'s)? (?:shows|agrees|answers?|is|does)\b|\bcalendar for\b"),
    "schedule": re.compile(r"->|\bstopped\b|\bwhile the other\b"),
    "rush": re.compile(r"\bat once\b|\bround|\bat the same time\b|\bat the very same\b"),
    "desk": re.compile(r"\bfront desk\b"),
    "stranger": re.compile(r"\banother member\b|\bstranger\b|\bnobody may\b|\btokens\b"),
    "sweep": re.compile(r"\bat every point\b"),
    "time": re.compile(r"\bstarted\b|clock change|at 00:15|at 23:45|\bago\b|\bminutes\b"),
    "places": re.compile(r"\blowers?\b|\bswitche[sd]\b|\bplaces are taken\b"),
}
# The words of a mutant's id, family and head that ask for a feature.
WORDS = {
    "book": "book booking booked charge charges deposit deposits empty unlimited capacity full",
    "cancel": "cancel cancelled refund refunds",
    "reschedule": "reschedule move moved moving",
    "remove": "remove removes removed admin",
    "confirm": "confirm attended attendance attends",
    "credit": "credit credited credits credited sale",
    "expire": "expire expired expires expiry ends",
    "retry": "retry again key twice repeats idempotency idempotent",
    "fault": "fault swallowed timeout error failure",
    "network": "",
    "calendar": "calendar worker",
    "schedule": "schedule lock locks locked race",
    "rush": "counts",
    "desk": "desk staff secretary caller admin trainer definer",
    "stranger": "anybody somebody strangers stranger caller visitors members trainer unknown",
    "sweep": "",
    "time": "started starts time date zone day tomorrow clock",
    "places": "capacity full class closes switched slot slots",
}
COMMON = {"the", "and", "class", "book", "member", "with", "that", "not"}  # stand in nearly every sentence
SAME = 0.4  # for each word that mutant and test share
LIKE = 1.0  # against each earlier test of the same action
COSTLY = {"calendar": 6.0, "rush": 2.0, "network": 2.0, "fault": 1.0, "schedule": 1.0, "sweep": 4.0}


@dataclass
class Test:
    """A test of the plan: its Robot Framework model, and what it is about."""

    model: TestCase
    features: frozenset[str]
    words: frozenset[str] = frozenset()
    action: str = ""

    @property
    def name(self) -> str:
        """The test's full name."""
        return str(self.model.name)


@dataclass
class Plan:
    """All tests of the general part; ``small`` names those that every control is put through, the rest takes turns."""

    tests: list[Test]
    small: set[str] = field(default_factory=set)
    rest: list[Test] = field(default_factory=list)
    crash: Path | None = None
    resources: tuple[str, ...] = (str(RESOURCE),)
    keywords: tuple[UserKeyword, ...] = ()

    @cached_property
    def rare(self) -> dict[str, float]:
        """Weigh each word of the tests: the fewer tests have it, the more it says."""
        counts = Counter(word for test in self.tests for word in test.words)
        return {word: log(len(self.tests) / count) for word, count in counts.items()}

    def suite(self, tests: Sequence[Test]) -> TestSuite:
        """Put tests of many files into one suite, which has what each of their files brings along."""
        suite = TestSuite(name="Prove")
        for resource in self.resources:
            suite.resource.imports.resource(resource)
        suite.resource.keywords = self.keywords
        suite.tests = [test.model for test in tests]  # no copies: running leaves a model as it is, but for its parent
        return suite

    def of(self, overlay: Overlay) -> list[Test]:
        """List the tests for an overlay, the fitting ones first, and not all of one action at once."""
        if overlay.is_control:
            others = [test.name for test in self.tests if test.name not in self.small]
            met = self.small | set(others[_turn(overlay) :: TURNS])
            return [test for test in self.tests if test.name in met]
        asked, said = wanted(overlay), stems(f"{overlay.id} {overlay.head.get('symptom', '')}")
        fits = {test.name: score(test, asked, said, self.rare) for test in self.tests}
        fitting = sorted(self.tests, key=lambda test: -fits[test.name])
        told: Counter[str] = Counter()
        keys = {}
        for test in fitting:
            keys[test.name] = LIKE * told[test.action] - fits[test.name]
            told[test.action] += bool(test.action)
        return sorted(fitting, key=lambda test: keys[test.name])


def _turn(overlay: Overlay) -> int:
    """Count the controls, so that each takes another part of what they share out."""
    return sorted(path.stem for path in overlay.path.parent.glob("*.sql")).index(overlay.id) % TURNS


def make(place: Path) -> Plan:
    """Build the general part.

    Args:
        place: a new folder; the suites of the generated cases are written there.
    """
    from tools import generator

    table = generator.generate(count=COUNT, seed=SEED, env="embedded", category=None, full=False)
    suite_files = generator.write_suites(table, place, resource=str(RESOURCE))
    generated = list(TestSuite.from_file_system(*suite_files).all_tests)
    by_id = {case["test_id"]: case for case in table["cases"]}
    folders = [SUITES / name for name in BY_HAND if (SUITES / name).is_dir()]
    files = [file for folder in folders for file in _files(TestSuite.from_file_system(folder))]
    by_hand = [Test(model, features(model), words_of(model)) for file in files for model in file.tests]
    tests, rest, small = list(by_hand), [], {test.name for test in by_hand if THOROUGH not in test.model.tags}
    met: Counter[str] = Counter()
    for model in generated:
        case = by_id[model.name.partition(" ")[0]]
        test = Test(model, features(model), words_of(model), case["action"])
        met[case["action"]] += 1
        if not _is_of_general_part(case, met[case["action"]]):
            rest.append(test)
            continue
        tests.append(test)
    crash = SUITES / "crash"
    return Plan(
        tests,
        small,
        rest,
        crash if crash.is_dir() else None,
        tuple(dict.fromkeys([str(RESOURCE), *(path for file in files for path in _resources(file))])),
        tuple(keyword for file in files for keyword in file.resource.keywords),
    )


def _files(suite: TestSuite) -> list[TestSuite]:
    """List the suites that are files; what they bring along is gathered, so none may prepare something for all."""
    if suite.has_setup or suite.has_teardown or suite.resource.variables:
        words = "has a suite setup or variables; the proof runs tests of many files in one suite: use a keyword instead"
        raise SuiteError(f"{suite.source}: {words}.")
    return [suite] if suite.tests else [file for child in suite.suites for file in _files(child)]


def _resources(file: TestSuite) -> list[str]:
    imports = [one for one in file.resource.imports if one.type == "RESOURCE"]
    return [str((Path(one.directory) / one.name).resolve()) for one in imports]


def _is_of_general_part(case: dict[str, Any], number: int) -> bool:
    if case["category"] == "order":
        return True
    most = OF_FAULTS if case["category"] == "failure-injection" and case["action"].startswith("database") else EACH
    return number <= (1 if case["category"] == "load" else most)


def features(model: TestCase) -> frozenset[str]:
    """Read what a test is about from its sentences."""
    text = "\n".join(_sentences(model.body))
    return frozenset(name for name, pattern in FEATURES.items() if pattern.search(text))


def words_of(model: TestCase) -> frozenset[str]:
    """Return the words of a test's name and sentences without their endings."""
    return stems("\n".join([model.name, model.doc, *_sentences(model.body)]))


def _sentences(body: Any) -> list[str]:
    found = []
    for step in body:
        found.append(" ".join([str(getattr(step, "name", "") or ""), *map(str, getattr(step, "args", ()))]))
        found += _sentences(getattr(step, "body", ()))
    return found


def wanted(overlay: Overlay) -> dict[str, float]:
    """Weigh what a mutant asks for by its head: most by its name and what it needs."""
    asked: defaultdict[str, float] = defaultdict(float)
    sources = (("id", 3.0), ("needs", 6.0), ("family", 2.0), ("symptom", 1.0))
    texts = {**overlay.head, "id": overlay.id}
    if overlay.is_race:
        asked["schedule"] += 6.0
    for key, weight in sources:
        said = set(re.findall(r"[a-z]+", texts.get(key, "").lower()))
        for feature, words in WORDS.items():
            if said & {feature, *words.split()}:
                asked[feature] += weight
    return dict(asked)


def stems(text: str) -> frozenset[str]:
    """Return the words of a text without their endings."""
    words = {re.sub(r"(?:ing|ed|es|s|e)$", "", word) for word in re.findall(r"[a-z]{3,}", text.lower())}
    return frozenset(words - COMMON)


def score(test: Test, asked: dict[str, float], said: frozenset[str], rare: dict[str, float]) -> float:
    """Say how well a test fits: what it has of what is asked and said, less what makes it slow for nothing."""
    gain = sum(weight for name, weight in asked.items() if name in test.features)
    cost = sum(weight for name, weight in COSTLY.items() if name in test.features and asked.get(name, 0) < weight)
    return gain - cost - 0.2 * len(test.features - asked.keys()) + SAME * sum(rare[word] for word in said & test.words)
