"""The pipe between a worker's listener and the owner of the run."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console
from robot.result import TestCase as ResultTest

from tools.run import progress_listener
from tools.run.progress import Watch


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    pipe = tmp_path / "pipe"
    monkeypatch.setenv("PILATES_PROGRESS", str(pipe))
    with Watch(pipe, 4, Console(file=io.StringIO())) as watch:
        yield watch


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setattr(progress_listener, "_pipe", None)
    yield progress_listener
    if progress_listener._pipe is not None and progress_listener._pipe >= 0:
        os.close(progress_listener._pipe)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Catch the signal with which a listener would end its own process."""
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number))
    return sent


def said(watch: Watch) -> str:
    written = watch._bar.console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


def test_cases_are_counted(watch: Watch, listener: ModuleType) -> None:
    listener.start_suite(None, None)
    listener.end_test(None, ResultTest("T-1 a", status="PASS"))
    listener.end_test(None, ResultTest("T-2 b", status="FAIL", message="Teardown failed:\nP0 I2 lost\nmore"))
    listener.end_test(None, ResultTest("T-3 c", status="FAIL", tags=["robot:exit"]))
    watch.wait(1)
    assert watch.counts == {"PASS": 1, "FAIL": 1, "NOT RUN": 1}
    assert watch.done == 2
    assert "FAIL T-2 b: P0 I2 lost\n" in said(watch)


def test_long_unicode_message_stays_one_short_line(watch: Watch, listener: ModuleType) -> None:
    listener.start_suite(None, None)
    listener.end_test(None, ResultTest("T-1 a", status="FAIL", message="ä\t" * 1000))
    watch.wait(1)
    assert watch.counts == {"FAIL": 1}


def test_worker_stops_when_the_owner_is_gone(watch: Watch, listener: ModuleType, signals: list[int]) -> None:
    listener.start_suite(None, None)
    os.close(watch._pipe)
    listener.end_test(None, ResultTest("T-1 a", status="PASS"))
    listener.end_test(None, ResultTest("T-2 b", status="PASS"))
    assert signals == [signal.SIGINT]
    watch._pipe = os.open(watch._path, os.O_RDWR)  # for the fixture's own end


def test_worker_without_an_owner_does_not_begin(watch: Watch, listener: ModuleType, signals: list[int]) -> None:
    os.close(watch._pipe)
    listener.start_suite(None, None)
    assert signals == [signal.SIGINT]
    watch._pipe = os.open(watch._path, os.O_RDWR)
