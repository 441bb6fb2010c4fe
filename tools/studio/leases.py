"""Who uses a studio: its home with the lock beside it, and the leases that its users hold.

A lease is a connection to ``control.sock`` in the home. The kernel closes those of a killed user.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from acceptance.errors import SuiteError
from tools.studio.processes import wait_until

LOCK_SECONDS = 30
TICK_SECONDS = 0.2


class Kept(Protocol):
    """What is kept running for its users."""

    def revive(self) -> None:
        """Start again what has died."""

    def answers(self) -> bool:
        """Say whether it can be used."""

    def described(self) -> bytes:
        """Say where everything is, in one line."""


def serve(control: socket.socket, studio: Kept, grace: float) -> None:
    """Answer each new lease with one line, and return when none was open for the time of grace."""
    last_used = time.monotonic()
    waiting: set[socket.socket] = set()
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(TICK_SECONDS):
                held = key.fileobj
                if held is control:
                    lease, _ = control.accept()
                    selector.register(lease, selectors.EVENT_READ)
                    waiting.add(lease)
                elif isinstance(held, socket.socket) and not _held(held):
                    selector.unregister(held)
                    waiting.discard(held)
                    held.close()
            studio.revive()
            if waiting and studio.answers():
                while waiting:
                    _tell(waiting.pop(), studio.described())
            if len(selector.get_map()) > 1:
                last_used = time.monotonic()
            elif time.monotonic() - last_used >= grace:
                return


def _tell(lease: socket.socket, line: bytes) -> None:
    """Send a line to somebody who may have gone meanwhile."""
    with suppress(ConnectionError):
        lease.sendall(line)


def _held(lease: socket.socket) -> bool:
    try:
        return lease.recv(64) != b""
    except ConnectionError:
        return False


def refuse(control: socket.socket, words: str) -> None:
    """Tell everyone who waits for the studio why there is none."""
    control.setblocking(False)
    with suppress(BlockingIOError):  # nobody waits any more
        while True:
            lease, _ = control.accept()
            with lease:
                _tell(lease, json.dumps({"error": words}).encode() + b"\n")


def lock_beside(home: Path) -> int:
    """Take the home's lock and return its file descriptor; it is given up by the death of all who hold it.

    Raises:
        SuiteError: when a studio lives there.
    """
    lock = os.open(f"{home}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def taken() -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    if not wait_until(taken, LOCK_SECONDS):
        raise SuiteError(f"{home}: a studio runs there already.")
    return lock


def listen_in(home: Path) -> socket.socket:
    """Make the home, in the place of a killed predecessor's, and listen there for users.

    Raises:
        SuiteError: when there is something that no studio has left.
    """
    if home.exists():
        if home.stat().st_uid != os.geteuid() or not set(os.listdir(home)) <= {"control.sock", "pg", "calendar"}:
            raise SuiteError(f"{home}: exists and is not a studio's; name a folder that does not exist.")
        shutil.rmtree(home)
    home.mkdir(mode=0o700)
    control = socket.socket(socket.AF_UNIX)
    control.bind(str(home / "control.sock"))
    control.listen(128)
    return control
