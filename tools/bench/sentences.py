"""Says a scenario's sentences without Robot Framework: the same keyword methods, called straight from Python.

What a sentence means is read from the resource files themselves, so that there is one vocabulary.
"""

from __future__ import annotations

import inspect
import re
import threading
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any

from robot.running import Keyword as KeywordCall
from robot.running import ResourceFile

from acceptance import current
from acceptance.bench import Bench
from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from acceptance.running_case import RunningCase
from BookingKeywords import BookingKeywords
from ClassKeywords import ClassKeywords
from MemberKeywords import MemberKeywords
from NetworkKeywords import NetworkKeywords

LIBRARIES = (MemberKeywords, ClassKeywords, BookingKeywords, NetworkKeywords)
PREFIX = re.compile(r"^(Given|When|Then|And|But) ")
VARIABLE = re.compile(r"\$\{(\w+)}")
LITERALS = {"True": True, "False": False, "None": None, "EMPTY": ""}
NAMED = re.compile(r"(\w+)=(.*)")

Call = Callable[[], Any]


def plain(name: str) -> str:
    """Write a keyword's name as Robot Framework compares it: no blanks, no underscores, lower case."""
    return name.lower().replace(" ", "").replace("_", "")


class Vocabulary:
    """The sentences of all resource files."""

    def __init__(self) -> None:
        self._methods = {
            plain(name): method
            for library in (kind() for kind in LIBRARIES)
            for name, method in inspect.getmembers(library, inspect.ismethod)
            if hasattr(method, "robot_name")
        }
        self._keywords = [
            keyword
            for path in sorted((ROOT / "resources").glob("*.resource"))
            for keyword in ResourceFile.from_file_system(path).keywords
        ]
        self._known: dict[str, list[Call]] = {}

    def calls(self, sentence: str) -> list[Call]:
        """Return the keyword methods of a sentence with their arguments, ready to be called.

        Raises:
            SuiteError: when no resource file has the sentence, or it stands for more than calls one after the other.
        """
        words = PREFIX.sub("", sentence)
        if words not in self._known:
            self._known[words] = self._read(words)
        return self._known[words]

    def _read(self, words: str) -> list[Call]:
        for keyword in self._keywords:
            values: dict[str, Any] = dict(LITERALS)
            if keyword.embedded:
                match = keyword.embedded.name.fullmatch(words)
                if match is None:
                    continue
                values |= zip(keyword.embedded.args, match.groups(), strict=True)
            elif plain(keyword.name) != plain(words):
                continue
            body = [item for item in keyword.body if isinstance(item, KeywordCall)]
            if len(body) < len(keyword.body):
                raise SuiteError(f"the sentence {words!r} stands for more than calls one after the other.")
            return [self._call(item.name or "", item.args, values) for item in body]
        raise SuiteError(f"no resource file has the sentence {words!r}.")

    def _call(self, name: str, arguments: tuple[str, ...], values: dict[str, Any]) -> Call:
        method = self._methods[plain(name)]
        filled = [VARIABLE.sub(lambda found: str(values[found[1]]), argument) for argument in arguments]
        kinds = typing.get_type_hints(method)
        names = list(inspect.signature(method).parameters)
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for argument in filled:
            match = NAMED.fullmatch(argument)
            if match and match[1] in names:
                named[match[1]] = _converted(match[2], kinds.get(match[1]))
            else:
                positional.append(_converted(argument, kinds.get(names[min(len(positional), len(names) - 1)])))
        return lambda: method(*positional, **named)


def _converted(value: str, kind: Any) -> Any:
    """Convert an argument as Robot Framework does by its type hint."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind[value]
    if kind is bool:
        return LITERALS[value]
    return kind(value) if kind in (int, float) else value


_running = threading.local()


def in_threads() -> None:
    """Let each thread have a running case of its own; within Robot Framework a process has one."""
    current.case = lambda: _running.case


def play(case: dict[str, Any], bench: Bench, vocabulary: Vocabulary) -> None:
    """Run a case of the table from its first sentence to its last look.

    Raises:
        AssertionError: when an expectation or an invariant does not hold.
    """
    running = _running.case = RunningCase(bench, case["test_id"], case["seed"], case["trace_id"])
    try:
        for sentence in case["scenario"]:
            for call in vocabulary.calls(sentence):
                call()
    finally:
        running.end()
