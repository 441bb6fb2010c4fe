"""The same cases as pytest tests, as a Python team would write the suite instead; for pytest-xdist.

BENCH_TABLE=... BENCH_FOLDER=... pytest -n 2 tools/bench/pytest_cases.py
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.bench import Bench
from tools.bench import drive, sentences

CASES = drive.table(Path(os.environ["BENCH_TABLE"]))


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """Open the bench of this worker."""
    sentences.in_threads()
    with drive.bench(Path(os.environ["BENCH_FOLDER"])) as mine:
        yield mine


@pytest.fixture(scope="session")
def vocabulary() -> sentences.Vocabulary:
    """Read the sentences once."""
    return sentences.Vocabulary()


@pytest.mark.parametrize("case", CASES, ids=[case["test_id"] for case in CASES])
def test_case(case: dict[str, Any], bench: Bench, vocabulary: sentences.Vocabulary) -> None:
    """Run one case."""
    sentences.play(case, bench, vocabulary)
