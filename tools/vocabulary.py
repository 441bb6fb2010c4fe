"""Follows a scenario's sentence through the resource files to the library keywords that it is made of.

Whoever wants to know what a sentence does without running it asks here: what a run will need of a target
(``tools/run/foresight.py``), and the benchmark that says sentences without Robot Framework (``tools/bench``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError

RESOURCES = ROOT / "resources"
GIVEN = re.compile(r"^(?:given|when|then|and|but)\s+", re.IGNORECASE)
PARTS = re.compile(r"\s{2,}|\n\.\.\.\s+")
NAMED = re.compile(r"(\w+)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One keyword of a library, as a sentence calls it; its name as ``bare`` writes it, its arguments as text."""

    keyword: str
    arguments: tuple[str, ...]
    named: Mapping[str, str]


def bare(name: str) -> str:
    """Write a keyword's name in one way: lower case, with single blanks."""
    return " ".join(name.replace("_", " ").lower().split())


@cache
def steps_of(sentence: str) -> tuple[Step, ...]:
    """List the library keywords of one sentence; a name that is no sentence is taken for a keyword itself.

    Raises:
        SuiteError: when the sentence stands for more than calls one after the other.
    """
    name, *arguments = PARTS.split(sentence.strip())
    return _steps(name, tuple(arguments))


@cache
def _sentences() -> tuple[dict[str, list[Any]], list[tuple[re.Pattern[str], list[str], list[Any]]]]:
    """Read what each sentence of the resource files is made of: plain ones by name, the others by pattern."""
    from robot.running import ResourceFile

    plain: dict[str, list[Any]] = {}
    patterns: list[tuple[re.Pattern[str], list[str], list[Any]]] = []
    for path in sorted(RESOURCES.glob("*.resource")):
        for one in ResourceFile.from_file_system(path).keywords:
            if one.embedded:
                pattern = re.compile(one.embedded.name.pattern, re.IGNORECASE)
                patterns.append((pattern, list(one.embedded.args), list(one.body)))
            else:
                plain[bare(one.name)] = list(one.body)
    return plain, patterns


def _steps(name: str, arguments: Sequence[str]) -> tuple[Step, ...]:
    plain, patterns = _sentences()
    for said in (name, GIVEN.sub("", name, count=1)):
        if bare(said) in plain:
            return tuple(_made_of(plain[bare(said)], {}, arguments))
        for pattern, names, body in patterns:
            if found := pattern.fullmatch(said):
                return tuple(_made_of(body, dict(zip(names, found.groups(), strict=False)), arguments))
    named = {found[1]: found[2] for one in arguments if (found := NAMED.fullmatch(one))}
    rest = tuple(one for one in arguments if not NAMED.fullmatch(one))
    return (Step(bare(GIVEN.sub("", name, count=1)), rest, named),)


def _made_of(body: Iterable[Any], values: Mapping[str, str], arguments: Sequence[str]) -> Iterator[Step]:
    from robot.running import Keyword as Call

    for one in body:
        if not isinstance(one, Call):
            words = f"{one.type} at line {one.lineno}: a sentence is made of calls one after the other"
            raise SuiteError(f"{one.source}: {words}; what decides or repeats belongs into a library.")
        said = [_filled(str(argument), values) for argument in one.args]
        yield from _steps(str(one.name), said or arguments)


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value or "")
    return text
