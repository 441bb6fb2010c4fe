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

from acceptance import current
from acceptance.bench import Bench
from acceptance.errors import SuiteError
from acceptance.running_case import RunningCase
from BookingKeywords import BookingKeywords
from ClassKeywords import ClassKeywords
from MemberKeywords import MemberKeywords
from NetworkKeywords import NetworkKeywords
from tools import vocabulary
from tools.vocabulary import Step

LIBRARIES = (MemberKeywords, ClassKeywords, BookingKeywords, NetworkKeywords)
VARIABLE = re.compile(r"\$\{(\w+)}")
LITERALS = {"True": True, "False": False, "None": None, "EMPTY": ""}

Call = Callable[[], Any]


class Vocabulary:
    """The keyword methods that sentences are made of."""

    def __init__(self) -> None:
        self._methods = {
            vocabulary.bare(name): method
            for library in (kind() for kind in LIBRARIES)
            for name, method in inspect.getmembers(library, inspect.ismethod)
            if hasattr(method, "robot_name")
        }
        self._known: dict[str, list[Call]] = {}

    def calls(self, sentence: str) -> list[Call]:
        """Return the keyword methods of a sentence with their arguments, ready to be called.

        Raises:
            SuiteError: when no resource file has the sentence, or it stands for more than calls one after the other.
        """
        if sentence not in self._known:
            self._known[sentence] = [self._call(step, sentence) for step in vocabulary.steps_of(sentence)]
        return self._known[sentence]

    def _call(self, step: Step, sentence: str) -> Call:
        method = self._methods.get(step.keyword)
        if method is None:
            raise SuiteError(f"no resource file has the sentence {sentence!r}.")
        kinds = typing.get_type_hints(method)
        names = list(inspect.signature(method).parameters)
        last = len(names) - 1
        positional = [_converted(one, kinds.get(names[min(place, last)])) for place, one in enumerate(step.arguments)]
        named = {name: _converted(one, kinds.get(name)) for name, one in step.named.items()}
        return lambda: method(*positional, **named)


def _converted(value: str, kind: Any) -> Any:
    """Convert an argument as Robot Framework does by its type hint."""
    value = VARIABLE.sub(lambda found: str(LITERALS[found[1]]), value)
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
