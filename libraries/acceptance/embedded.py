"""The embedded studio from its user's side: find it, start it if nobody has, and hold a lease on it."""

from __future__ import annotations

import contextlib
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
from typing import Any

from filelock import FileLock, Timeout

from acceptance.errors import SuiteError

SOCKET_PATH_LIMIT = 107 if sys.platform.startswith("linux") else 103  # bytes of a unix socket's address (sys/un.h)
GRACE_SECONDS = 10
MOST_PRIVATE = 64
# Linux's file system in memory, and where else temporary files usually are; below them the folder is our own.
MEMORY, USUAL = Path("/dev/shm"), Path("/tmp")  # noqa: S108 - as it says
ENOUGH_MEMORY = 4 << 30  # bytes that it may grow to; a studio takes some hundred millions


@dataclass
class Studio:
    """A running studio and our lease on it; it stops some seconds after the last lease is gone.

    The process ids are those of the moment of attaching: the supervisor starts again what crashes, and ``refresh``
    asks for the present ones. A private studio has no other user. ``network_url`` is
    the proxy that disturbs calls; empty when the supervisor has started none.
    """

    api_url: str
    database_url: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    server_log: str
    postgres_version: str
    gateway_pid: int
    postgres_pid: int
    _lease: socket.socket = field(repr=False)
    network_url: str = ""
    calendar_url: str = field(repr=False, default="")
    calendar_pid: int = 0
    worker_pid: int = 0
    _claim: FileLock | None = field(repr=False, default=None)

    @property
    def private(self) -> bool:
        """Whether nobody else uses it, so that it may be killed."""
        return self._claim is not None

    def refresh(self, deadline: float = 60) -> None:
        """Wait until it answers again after something of it was killed, and learn its new process ids.

        Args:
            deadline: seconds to wait.

        Raises:
            SuiteError: when it is gone, or does not answer in time.
        """
        asking = _connected(Path(self.server_log).parents[1])
        line = b""
        if asking is not None:
            with asking:
                try:
                    line = _first_line(asking, time.monotonic() + deadline)
                except TimeoutError:
                    words = f"did not come back within {deadline:.0f} s; see {self.server_log}"
                    raise SuiteError(f"the embedded studio {words}.") from None
        if not line:
            raise SuiteError("the embedded studio has ended.")
        told = json.loads(line)
        for name in ("gateway_pid", "postgres_pid", "calendar_pid", "worker_pid"):
            setattr(self, name, told[name])

    def wait(self) -> None:
        """Wait until the studio ends by itself."""
        with contextlib.suppress(ConnectionError):
            self._lease.recv(1)  # it has nothing more to say, so this returns at its end

    def close(self) -> None:
        """Give the lease up."""
        self._lease.close()
        if self._claim is not None:
            self._claim.release()


def attach(
    start: Path,
    overlays: Sequence[Path] = (),
    *,
    private: bool = False,
    deadline: float = 60,
    grace: float = GRACE_SECONDS,
    foreign: Sequence[Path] = (),
) -> Studio:
    """Take a lease on the studio, starting it if nobody has.

    Args:
        start: the supervisor's script.
        overlays: SQL files that change the studio on purpose; each set of them is a studio of its own.
        private: whether to have one that nobody else uses meanwhile.
        deadline: seconds to wait until it is ready.
        grace: seconds that a studio started here stays after its last user.
        foreign: SQL files of somebody else's system, applied in this order instead of the studio's own.

    Raises:
        SuiteError: when it does not start; carries its own words.
    """
    for path in (*foreign, *overlays):
        if not path.is_file():
            raise SuiteError(f"{path}: there is no such SQL file.")
    words = [word for path in foreign for word in ("--sql", str(path.resolve()))]
    words += [word for path in overlays for word in ("--overlay", str(path.resolve()))]
    if not private:
        return _attach(start, words, home_of(start, overlays, foreign=foreign), deadline, grace)
    home, claim = _claimed(start, overlays, foreign)
    try:
        studio = _attach(start, words, home, deadline, grace)
    except BaseException:
        claim.release()
        raise
    studio._claim = claim
    return studio


def _claimed(start: Path, overlays: Sequence[Path], foreign: Sequence[Path]) -> tuple[Path, FileLock]:
    """Choose the first private studio that nobody uses; the numbers keep what stays behind (locks, logs) few."""
    for number in range(1, MOST_PRIVATE + 1):
        home = home_of(start, overlays, f"private {number}", foreign=foreign)
        claim = FileLock(f"{home}.claim", timeout=0, mode=0o600, thread_local=False)
        try:
            claim.acquire()
        except Timeout:
            continue
        return home, claim
    raise SuiteError(f"{MOST_PRIVATE} private studios are in use; wait for their end.")


def _attach(start: Path, words: Sequence[str], home: Path, deadline: float, grace: float) -> Studio:
    log = Path(f"{home}.log")
    until = time.monotonic() + deadline
    try:
        while time.monotonic() < until:
            with FileLock(f"{home}.start", timeout=deadline, mode=0o600):
                lease = _connected(home)
                starting = lease is None
                if lease is None:
                    _start(start, home, words, grace, log, until)
                    lease = _connected(home)
            line = _first_line(lease, until) if lease is not None else b""
            if lease is not None and line:
                return _studio(json.loads(line), lease)
            if lease is not None:
                lease.close()
            if starting:
                raise SuiteError(f"the embedded studio cannot start: {_text(log)}")
            # It was just stopping: once more.
    except (TimeoutError, Timeout, subprocess.TimeoutExpired):
        pass  # said below
    raise SuiteError(f"the embedded studio did not get ready within {deadline:.0f} s; see {log}.")


def home_of(start: Path, overlays: Sequence[Path] = (), name: str = "", *, foreign: Sequence[Path] = ()) -> Path:
    """Return the folder of the studio that belongs to this copy of the project, its present code and these overlays.

    Args:
        start: the supervisor's script.
        overlays: SQL files that change the studio on purpose.
        name: tells private studios from the shared one, which has none.
        foreign: SQL files that stand in the place of the studio's own.

    Raises:
        SuiteError: when the temporary folder does not do.
    """
    start = start.resolve()
    digest = hashlib.sha256(os.fsencode(start))
    parts = (start.parent, start.parents[1] / "network")  # both run in it
    code = sorted(path for part in parts for path in part.rglob("*") if path.suffix in {".py", ".sql"})
    for path in (*code, *overlays):
        digest.update(path.read_bytes())
    for path in foreign:
        digest.update(b"foreign" + path.read_bytes())
    digest.update(name.encode())
    home = _base() / digest.hexdigest()[:8]
    if len(os.fsencode(home / "pg" / ".s.PGSQL.5432.lock")) > SOCKET_PATH_LIMIT:
        raise SuiteError(f"{home}: too long a path for a unix socket; set TMPDIR to a shorter folder.")
    return home


def temporary() -> Path:
    """Return the folder that studios live in: memory, where there is plenty of it, unless TMPDIR says otherwise.

    A studio's files are a thousand, and are thrown away with it. On some disks making them takes longer than the rest.
    """
    chosen = Path(tempfile.gettempdir())
    if "TMPDIR" in os.environ or chosen != USUAL:
        return chosen
    try:
        state = os.statvfs(MEMORY)
    except OSError:
        return USUAL
    roomy = state.f_blocks * state.f_frsize >= ENOUGH_MEMORY
    # PostgreSQL itself may have to be copied there, and to run from it.
    usable = os.access(MEMORY, os.W_OK | os.X_OK) and not state.f_flag & os.ST_NOEXEC
    return MEMORY if roomy and usable else USUAL


def _base() -> Path:
    """Return our own folder below the temporary one, made if need be.

    Raises:
        SuiteError: when somebody else has made one of that name.
    """
    base = temporary() / f"pilates-{os.geteuid()}"
    try:
        base.mkdir(mode=0o700)
        if os.geteuid() == 0:
            base.chmod(0o711)  # root's server runs as another user, who must pass through
    except FileExistsError:
        pass
    except OSError as error:
        raise SuiteError(f"{base}: cannot be made: {error.strerror}; set TMPDIR to a folder you can write.") from None
    state = base.lstat()
    if state.st_uid != os.geteuid() or not stat.S_ISDIR(state.st_mode) or state.st_mode & 0o066:
        raise SuiteError(f"{base}: is not a private folder of ours; remove it or set TMPDIR to a folder of your own.")
    return base


def _connected(home: Path) -> socket.socket | None:
    """Connect to a running supervisor; None where there is none."""
    lease = socket.socket(socket.AF_UNIX)
    try:
        lease.connect(str(home / "control.sock"))
    except (FileNotFoundError, ConnectionRefusedError):
        lease.close()
        return None
    return lease


def _start(start: Path, home: Path, words: Sequence[str], grace: float, log: Path, until: float) -> None:
    """Start a supervisor that outlives us; it can be connected to when this returns."""
    command = [sys.executable, str(start.resolve()), "--background", "--home", str(home), "--grace", str(grace)]
    command += words
    with open(log, "wb", opener=_private) as output:
        done = subprocess.run(  # noqa: S603 - our own script
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=home.parent,
            start_new_session=True,
            timeout=max(0.1, until - time.monotonic()),
            check=False,
        )
    if done.returncode != 0:
        raise SuiteError(f"the embedded studio cannot start: {_text(log)}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _text(log: Path) -> str:
    return log.read_text(errors="replace").strip()


def _first_line(lease: socket.socket, until: float) -> bytes:
    """Return what the supervisor says first; nothing when it goes away."""
    lease.settimeout(max(0.1, until - time.monotonic()))
    try:
        with lease.makefile("rb") as said:
            return said.readline()
    except ConnectionError:
        return b""


def _studio(answer: dict[str, Any], lease: socket.socket) -> Studio:
    if "error" in answer:
        lease.close()
        raise SuiteError(f"the embedded studio cannot start: {answer['error']}")
    lease.settimeout(None)
    return Studio(**answer, _lease=lease)
