"""Shows a person how far a run has come: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import select
import time
from collections import Counter
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

PLAIN_SECONDS = 5.0
MOST_FAILURES_SHOWN = 10
READ_BYTES = 1 << 16


class Watch:
    """Counts the finished cases of all workers and shows them.

    Args:
        pipe: a path where the named pipe is made; workers write a line for each case into it.
        total: the number of cases of the run.
        console: where it is shown.
    """

    def __init__(self, pipe: Path, total: int, console: Console):
        self.total = total
        self.counts: Counter[str] = Counter()
        self._path = pipe
        self._rest = b""
        self._first = self._last_line = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[words]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Watch:
        os.mkfifo(self._path, 0o600)
        # Opened for writing too: without a writer the pipe would be at its end again and again.
        self._pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
        self._bar.start()
        self._task = self._bar.add_task("starting", total=self.total, words="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        os.close(self._pipe)
        self._path.unlink()

    @property
    def done(self) -> int:
        """The number of cases that came to an end."""
        return sum(self.counts.values()) - self.counts["NOT RUN"]

    def wait(self, seconds: float) -> None:
        """Take in what the workers say, for at most so long, and show it."""
        if select.select([self._pipe], [], [], seconds)[0]:
            *lines, self._rest = (self._rest + os.read(self._pipe, READ_BYTES)).split(b"\n")
            for line in lines:
                self._take(line.decode(errors="replace"))
        self._show()

    def say(self, words: str) -> None:
        """Say something without disturbing the bar."""
        self._bar.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def _take(self, line: str) -> None:
        status, name, message = line.split("\t", 2)
        if not self.counts:
            self._first = time.monotonic()
        self.counts[status] += 1
        if status == "FAIL" and self.counts[status] <= MOST_FAILURES_SHOWN:
            self.say(f"FAIL {name}: {message}")
        if status == "FAIL" and self.counts[status] == MOST_FAILURES_SHOWN + 1:
            self.say("More failures follow; they are all in the report.")

    def _show(self) -> None:
        words, now = self._words(), time.monotonic()
        phase = "starting" if not self.counts else "running"
        if self.done >= self.total:
            phase = "writing log and report"
        self._bar.update(self._task, completed=self.done, description=phase, words=words)
        if self._bar.disable and now - self._last_line >= PLAIN_SECONDS:
            self._last_line = now
            self.say(f"{phase}: {words}")

    def _words(self) -> str:
        counts, done = self.counts, self.done
        words = f"{done}/{self.total} cases, {counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped"
        elapsed = time.monotonic() - self._first
        if done < 2 or done >= self.total or not elapsed:
            return words
        rate = done / elapsed
        return f"{words}, {rate:.1f}/s, {_clock((self.total - done) / rate)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
