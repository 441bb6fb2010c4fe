"""Robot Framework listener: tells the run's owner about each finished test, and stops when the owner is gone.

One short line a test goes into the named pipe ``PILATES_PROGRESS``. A line is shorter than POSIX's smallest
PIPE_BUF, so the lines of parallel workers never mix.
"""

import os
import signal
from typing import Any

from tools.report.results import cause_of, status_of

ROBOT_LISTENER_API_VERSION = 3
LONGEST = 500  # bytes; PIPE_BUF is at least 512

_pipe: int | None = None


def start_suite(data: Any, result: Any) -> None:
    """Open the pipe once."""
    global _pipe
    if _pipe is not None:
        return
    try:
        # Non-blocking, because opening a pipe that nobody reads would wait for ever.
        _pipe = os.open(os.environ["PILATES_PROGRESS"], os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(_pipe, True)
    except OSError:
        _stop()


def end_test(data: Any, result: Any) -> None:
    """Tell what came of a test: status, name and the first line of its message that says something."""
    if _pipe is None or _pipe < 0:
        return
    words = (status_of(result), result.name, cause_of(result.message))
    line = "\t".join(word.replace("\t", " ") for word in words)
    try:
        os.write(_pipe, line.encode()[:LONGEST] + b"\n")
    except BrokenPipeError:
        _stop()


def _stop() -> None:
    """End the execution in good order: running teardowns remove the rows."""
    global _pipe
    _pipe = -1
    os.kill(os.getpid(), signal.SIGINT)
