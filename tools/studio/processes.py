"""Child processes that never outlive us, and waiting for what they do."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # sys/prctl.h
STOP_SECONDS = 20
POLL_SECONDS = 0.01


def end_with_parent(how: signal.Signals) -> Callable[[], None] | None:
    """Make a ``preexec_fn`` by which the kernel ends a child when its parent dies; None where it cannot.

    It runs after the child has changed its user id, which would undo it.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def arrange() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(how))
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), how)

    return arrange


def end(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    """End a child process: ask first, and kill it when it has not gone in time."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(ready: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition, and say whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
