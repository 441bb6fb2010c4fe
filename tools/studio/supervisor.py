"""Keeps the embedded studio running for as long as somebody uses it: PostgreSQL, rules, gateway, calendar and worker.

Whoever uses the studio holds one connection to ``control.sock``, its lease, and first receives one line of JSON that
says where everything is. The kernel closes the leases of a killed user, so nobody has to say goodbye. When no lease
was open for the time of grace, everything is stopped and removed.

A lock beside the home is held by the supervisor and by all it starts: whoever has it knows that nothing of an
earlier studio is alive.

    python tools/studio/supervisor.py --home /tmp/my-studio [--overlay tools/mutants/x.sql]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, TypeGuard

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ROOT / "libraries"
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(LIBRARIES)]

import psycopg2  # noqa: E402 - the paths above come first when this file is started by its path

from acceptance.errors import SuiteError  # noqa: E402
from tools.studio import foreign  # noqa: E402
from tools.studio.leases import listen_in, lock_beside, refuse, serve  # noqa: E402
from tools.studio.postgres import DEFAULT_VERSION, Cluster, binaries  # noqa: E402
from tools.studio.processes import end, end_with_parent, wait_until  # noqa: E402
from tools.studio.rules import CHANGE, apply_file, apply_rules  # noqa: E402

DATABASE = "studio"
CALENDAR_USER = "studio"
TEMPLATE = "template_studio"  # the rules without a row; self-tests make databases of their own from it
READY_SECONDS = 30
ANSWER_SECONDS = 1
TAIL_LINES = 15


class Studio:
    """The running studio.

    Args:
        home: a new folder of its own.
        overlays: SQL files applied after the studio's own.
        bin_folder: the PostgreSQL binaries.
        lock: the file descriptor that all children hold.
        foreign: somebody else's SQL instead of the studio's own; such a studio has no calendar.
    """

    def __init__(self, home: Path, overlays: list[Path], bin_folder: Path, lock: int, foreign: Sequence[Path] = ()):
        self.cluster = Cluster(home, bin_folder, keep_open=(lock,))
        self.overlays = overlays
        self.foreign = foreign
        self.lock = lock
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.jwt_secret = secrets.token_urlsafe(32)
        self.gateway_password = secrets.token_urlsafe(24)
        self.gateway: subprocess.Popen[bytes] | None = None
        self.network: subprocess.Popen[bytes] | None = None
        self.network_port = reserved_port()
        self.calendar: subprocess.Popen[bytes] | None = None
        self.calendar_listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.calendar_network_port = reserved_port()
        self.calendar_folder = home.parent / "calendar"
        self.calendar_password = secrets.token_urlsafe(24)
        self.worker: subprocess.Popen[bytes] | None = None
        self.worker_password = secrets.token_urlsafe(24)
        self.postgres_version = ""

    def start(self) -> None:
        """Make the database, apply the rules, start the gateway and all around it, and wait until they answer.

        Raises:
            SuiteError: says what does not start, or which statement of the rules fails.
        """
        self._start_network()  # in parallel: it takes about a second to load
        if not self.foreign:
            self._make_calendar()
            self._start_calendar()
        self.cluster.create()
        self.cluster.start()
        self._wait_for(self.cluster.process, self._postgres_answers, "PostgreSQL")
        self._make_database()
        self._start_gateway()
        self._wait_for(self.gateway, self._gateway_answers, "the gateway")
        if not self.foreign:
            self._start_worker()
            self._wait_for(self.calendar, self._calendar_answers, "the calendar")
        self._wait_for(self.network, self.answers, "the network proxy")

    def revive(self) -> None:
        """Start again what has died, without waiting for it: crash tests kill either on purpose, or both."""
        for what, process, start in (
            # It also ends when a process of its killed predecessor still has the shared memory: then once more.
            ("PostgreSQL", self.cluster.process, self.cluster.start),
            ("the gateway", self.gateway, self._start_gateway),
            ("the network proxy", self.network, self._start_network),
            ("the calendar", self.calendar, self._start_calendar),
            ("the calendar's worker", self.worker, self._start_worker),
        ):
            if process is not None and process.poll() is not None:
                print(f"{what} ended ({process.returncode}); starting it again", flush=True)
                start()

    def answers(self) -> bool:
        """Say whether the gateway answers and reaches its database, and the network proxy before it is ready."""
        return self._gateway_answers() and _answers(self.network_port.getsockname(), "/acceptance/network")

    def _gateway_answers(self) -> bool:
        return _answers(self.listener.getsockname(), "/ready")

    def _calendar_answers(self) -> bool:
        """Say whether the calendar answers; who has no password is turned away."""
        return _answers(self.calendar_listener.getsockname(), f"/{CALENDAR_USER}/", http.HTTPStatus.UNAUTHORIZED)

    def _calendar_url(self, port: socket.socket) -> str:
        host, number = port.getsockname()
        return f"http://{CALENDAR_USER}:{self.calendar_password}@{host}:{number}/{CALENDAR_USER}/"

    def described(self) -> bytes:
        """Say where everything is; only the holder of a lease is told."""
        where = {
            "api_url": "http://{}:{}".format(*self.listener.getsockname()),
            "network_url": "http://{}:{}".format(*self.network_port.getsockname()),
            "database_url": self.cluster.url(DATABASE),
            "jwt_secret": self.jwt_secret,
            "server_log": str(self.cluster.log),
            "postgres_version": self.postgres_version,
            "calendar_url": self._calendar_url(self.calendar_listener) if self.calendar else "",
            "gateway_pid": self.gateway.pid if self.gateway else 0,
            "calendar_pid": self.calendar.pid if self.calendar else 0,
            "worker_pid": self.worker.pid if self.worker else 0,
            "postgres_pid": self.cluster.process.pid if self.cluster.process else 0,
        }
        return json.dumps(where).encode() + b"\n"

    def stop(self) -> None:
        """Stop everything, at once: nobody uses it any more, and nothing of it is kept."""
        end(self.gateway, signal.SIGKILL)
        end(self.network, signal.SIGKILL)
        end(self.worker, signal.SIGKILL)
        end(self.calendar, signal.SIGKILL)
        self.cluster.stop()
        for held in (self.listener, self.network_port, self.calendar_listener, self.calendar_network_port):
            held.close()

    def _postgres_answers(self) -> bool:
        try:
            with closing(psycopg2.connect(self.cluster.url("postgres"))) as connection:
                self.postgres_version = connection.info.parameter_status("server_version") or ""
        except psycopg2.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        """Make the studio's database from its SQL and the overlays, in one transaction."""
        with closing(psycopg2.connect(self.cluster.url("postgres"))) as administration:
            administration.autocommit = True
            cursor = administration.cursor()
            if self.foreign:
                self._make_foreign_database(cursor)
                return
            cursor.execute(f"create database {TEMPLATE}")
            with closing(psycopg2.connect(self.cluster.url(TEMPLATE))) as connection:
                apply_rules(connection, self.overlays)
                passwords = connection.cursor()
                passwords.execute("alter role authenticator password %s", (self.gateway_password,))
                passwords.execute("alter role calendar_worker password %s", (self.worker_password,))
                connection.commit()
            cursor.execute(f"create database {DATABASE} template {TEMPLATE}")

    def _make_foreign_database(self, administration: Any) -> None:
        """Make the database from somebody else's SQL and the overlays."""
        administration.execute(f"create database {DATABASE}")
        foreign.apply(lambda: psycopg2.connect(self.cluster.url(DATABASE)), self.foreign)
        with closing(psycopg2.connect(self.cluster.url(DATABASE))) as connection:
            cursor = connection.cursor()
            cursor.execute(CHANGE)
            for overlay in self.overlays:
                apply_file(connection, overlay)
            cursor.execute("alter role authenticator password %s", (self.gateway_password,))
            connection.commit()

    def _start_gateway(self) -> None:
        """Start the gateway on the socket that stays ours, and wait until it answers."""
        self.gateway = self._start_module(
            "tools.studio.gateway",
            "--fd",
            str(self.listener.fileno()),
            *(["--extra-search-path", "public, extensions"] if self.foreign else []),
            keep_open=self.listener,
            PILATES_DATABASE_URL=self.cluster.url(DATABASE, "authenticator", self.gateway_password),
            PILATES_JWT_SECRET=self.jwt_secret,
        )

    def _make_calendar(self) -> None:
        """Make the calendar's folder, and its one account."""
        self.calendar_folder.mkdir(mode=0o700)
        (self.calendar_folder / "htpasswd").write_text(f"{CALENDAR_USER}:{self.calendar_password}\n")

    def _start_calendar(self) -> None:
        """Start the calendar on the socket that stays ours."""
        listener = self.calendar_listener
        self.calendar = self._start_module(
            "tools.studio.calendar_server",
            "--fd",
            str(listener.fileno()),
            "--folder",
            str(self.calendar_folder),
            keep_open=listener,
        )

    def _start_worker(self) -> None:
        """Start the worker that tells the calendar, through the network that may disturb it."""
        self.worker = self._start_module(
            "tools.studio.calendar_worker",
            PILATES_DATABASE_URL=self.cluster.url(DATABASE, "calendar_worker", self.worker_password),
            PILATES_CALENDAR_URL=self._calendar_url(self.calendar_network_port),
        )

    def _start_module(
        self, module: str, *arguments: str, keep_open: socket.socket | None = None, **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start one of our modules; it ends with us. What is secret goes into its environment, for no one to see."""
        paths = [str(ROOT), str(LIBRARIES), os.environ.get("PYTHONPATH")]
        with self.cluster.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self.lock, *([keep_open.fileno()] if keep_open else [])],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **settings},
                preexec_fn=end_with_parent(signal.SIGKILL),
            )

    def _start_network(self) -> None:
        """Start the proxy that disturbs calls on their way to the gateway."""
        self.network = self._start_module(
            "tools.network.proxy",
            "--api-port",
            str(self.network_port.getsockname()[1]),
            "--api-upstream",
            "http://{}:{}".format(*self.listener.getsockname()),
            "--calendar-port",
            str(self.calendar_network_port.getsockname()[1]),
            "--calendar-upstream",
            "http://{}:{}".format(*self.calendar_listener.getsockname()),
        )

    def _wait_for(self, process: subprocess.Popen[bytes] | None, ready: Callable[[], bool], what: str) -> None:
        in_time = wait_until(lambda: _ended(process) or ready(), READY_SECONDS)
        if not in_time or _ended(process):
            lines = self.cluster.log.read_text(errors="replace").splitlines()
            raise SuiteError("\n".join([f"{what} does not start; the end of the log:", *lines[-TAIL_LINES:]]))


def reserved_port() -> socket.socket:
    """Keep a port for a child that cannot inherit a socket: bound, but never listening.

    Linux lets the child bind the same port while nobody listens there, and gives it to nobody else.
    """
    port = socket.socket()
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port.bind(("127.0.0.1", 0))
    return port


def _answers(address: tuple[str, int], path: str, status: http.HTTPStatus = http.HTTPStatus.OK) -> bool:
    try:
        with closing(http.client.HTTPConnection(*address, timeout=ANSWER_SECONDS)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status == status
    except (OSError, http.client.HTTPException):
        return False


def _ended(process: subprocess.Popen[bytes] | None) -> TypeGuard[subprocess.Popen[bytes]]:
    return process is not None and process.poll() is not None


def run(options: argparse.Namespace, home: Path, control: socket.socket, lock: int) -> int:
    """Start the studio, serve it until it is not used any more, and remove it."""
    studio = None
    try:
        bin_folder = options.bin or binaries(options.server_version)
        studio = Studio(home / "pg", options.overlay, bin_folder, lock, options.sql)
        studio.start()
        serve(control, studio, options.grace)
    except (SuiteError, OSError, psycopg2.Error) as error:
        words = str(error).strip()
        print(words, flush=True)
        (home / "control.sock").unlink()
        refuse(control, words)
        return 2
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # we are at it
        (home / "control.sock").unlink(missing_ok=True)
        control.close()
        if studio is not None:
            studio.stop()
        shutil.rmtree(home)
    return 0


def main() -> int:
    """Read the command line and become the supervisor of one studio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="a folder of our own; made and removed by us")
    parser.add_argument("--overlay", type=Path, action="append", default=[], help="SQL applied last (repeatable)")
    parser.add_argument("--sql", type=Path, action="append", default=[], help="instead of our own SQL (repeatable)")
    parser.add_argument("--server-version", type=int, default=DEFAULT_VERSION, help="18 or 16, from the wheel")
    parser.add_argument("--bin", type=Path, help="the bin folder of another PostgreSQL")
    parser.add_argument("--grace", type=float, default=10, help="seconds without a user until everything stops")
    parser.add_argument("--background", action="store_true", help="return as soon as a lease can be asked for")
    options = parser.parse_args()
    home = options.home.absolute()
    os.umask(0o077)
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # they would lead libpq, and the server itself, elsewhere
    signal.signal(signal.SIGTERM, _stop_on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the user in the foreground, not for us
    try:
        lock = lock_beside(home)
        control = listen_in(home)
    except (SuiteError, OSError) as error:
        print(error, flush=True)
        return 2
    if options.background and os.fork() != 0:
        os._exit(0)  # the child has the lock and the socket
    return run(options, home, control, lock)


def _stop_on_signal(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
