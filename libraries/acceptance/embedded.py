"""The embedded studio from its user's side: find it, start it if nobody has, and hold a lease on it."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from acceptance.errors import SuiteError

SOCKET_PATH_LIMIT = 107  # bytes of a unix socket's address (sys/un.h)
POLL_SECONDS = 0.02

# A supervisor outlives us on purpose; kept here, Python does not complain that it is still running.
_SUPERVISORS: list[subprocess.Popen[bytes]] = []


@dataclass
class Studio:
    """A running studio and our lease on it; it stops some seconds after the last lease is gone."""

    api_url: str
    database_url: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    server_log: str
    gateway_pid: int
    postgres_pid: int
    _lease: socket.socket = field(repr=False)

    def close(self) -> None:
        """Give the lease up."""
        self._lease.close()


def home_of(start: Path, overlays: Sequence[Path] = ()) -> Path:
    """Return the folder of the studio that belongs to this copy of the project and these overlays."""
    digest = hashlib.sha256(str(start.resolve()).encode())
    for overlay in overlays:
        digest.update(overlay.read_bytes())
    return _base() / digest.hexdigest()[:8]


def _base() -> Path:
    """Return our own folder below the system's temporary one, made if need be.

    Raises:
        SuiteError: when somebody else has made one of that name.
    """
    base = Path(tempfile.gettempdir()) / f"pilates-{os.geteuid()}"
    # Root's server runs as another user, who must pass through; everybody is kept from reading and writing.
    base.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
    state = base.lstat()
    if state.st_uid != os.geteuid() or not stat.S_ISDIR(state.st_mode) or state.st_mode & 0o066:
        raise SuiteError(f"{base}: is not a private folder of ours; remove it or set TMPDIR to a folder of your own.")
    return base


def attach(start: Path, overlays: Sequence[Path] = (), *, deadline: float = 60, grace: float = 10) -> Studio:
    """Take a lease on the studio, starting it if nobody has.

    Args:
        start: the supervisor's script.
        overlays: SQL files that change the studio on purpose; each set of them is a studio of its own.
        deadline: seconds to wait until it is ready.
        grace: seconds that a studio started here stays after its last user.

    Raises:
        SuiteError: when it does not start; carries its own words.
    """
    for overlay in overlays:
        if not overlay.is_file():
            raise SuiteError(f"{overlay}: there is no such SQL file.")
    home = home_of(start, overlays)
    if len(os.fsencode(home / "pg" / ".s.PGSQL.5432")) > SOCKET_PATH_LIMIT:
        raise SuiteError(f"{home}: too long for a unix socket; set TMPDIR to a shorter folder.")
    until = time.monotonic() + deadline
    while time.monotonic() < until:
        with FileLock(f"{home}.start", timeout=deadline):
            lease = _connected(home) or _started(start, home, overlays, until, grace)
        lease.settimeout(max(0.1, until - time.monotonic()))
        try:
            with lease.makefile("rb") as said:
                line = said.readline()
        except TimeoutError:
            break
        except ConnectionError:
            line = b""
        if line:
            return _judged(json.loads(line), lease)
        lease.close()  # it was just stopping; start a new one
    raise SuiteError(f"the embedded studio did not get ready within {deadline:.0f} s; see {home}.log.")


def _judged(answer: dict[str, object], lease: socket.socket) -> Studio:
    if "error" in answer:
        raise SuiteError(f"the embedded studio cannot start: {answer['error']}")
    lease.settimeout(None)
    return Studio(**answer, _lease=lease)  # type: ignore[arg-type]


def _connected(home: Path) -> socket.socket | None:
    """Connect to a running supervisor; None where there is none."""
    lease = socket.socket(socket.AF_UNIX)
    try:
        lease.connect(str(home / "control.sock"))
    except (FileNotFoundError, ConnectionRefusedError):
        lease.close()
        return None
    return lease


def _started(start: Path, home: Path, overlays: Sequence[Path], until: float, grace: float) -> socket.socket:
    """Start a supervisor that outlives us, and connect to it."""
    command = [sys.executable, str(start), "--home", str(home), "--grace", str(grace)]
    for overlay in overlays:
        command += ["--overlay", str(overlay.resolve())]
    with Path(f"{home}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own script
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    _SUPERVISORS.append(process)
    while time.monotonic() < until:
        lease = _connected(home)
        if lease is not None:
            return lease
        if process.poll() is not None:
            words = Path(f"{home}.log").read_text(errors="replace").strip()
            raise SuiteError(f"the embedded studio cannot start: {words}")
        time.sleep(POLL_SECONDS)
    raise SuiteError(f"the embedded studio's supervisor did not answer; see {home}.log.")
