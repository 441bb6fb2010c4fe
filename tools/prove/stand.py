"""One worker's test stand: a database cloned for each overlay, and a gateway of its own before it.

Gateways and calendar workers are forked from a process that has everything imported, which saves half a second each.
The addresses stay the same for all overlays of a worker, so that one network proxy serves them all.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
import psycopg2
import requests
import uvicorn
from psycopg2.extensions import make_dsn, parse_dsn

from acceptance import embedded, environment
from acceptance.bench import Bench, open_database, run_digits
from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from tools.prove.overlays import Overlay
from tools.studio import calendar_worker, gateway
from tools.studio.processes import end, end_with_parent, wait_until
from tools.studio.rules import CHANGE, apply_file
from tools.studio.supervisor import TEMPLATE, reserved_port

READY_SECONDS = 30
POOL = 64  # the most connections of a gateway; a rush has up to 50 callers
WARM = 4
REVIVE_SECONDS = 0.2
DEADLOCK_TIMEOUT = "100ms"  # instead of a second, which every replay of a deadlock would wait


@dataclass
class Access:
    """How to get into the studio that all workers share, and its passwords, which are our own."""

    studio: embedded.Studio
    gateway_password: str = field(repr=False)
    worker_password: str = field(repr=False)

    def url(self, database: str, user: str = "", password: str = "") -> str:
        """Return the connection string of a database, as its superuser or as somebody else."""
        place = parse_dsn(self.studio.database_url)
        other = {"user": user, "password": password} if user else {}
        return str(make_dsn(**{**place, "dbname": database, **other}))

    def address(self, database: str, user: str, password: str) -> str:
        """Return the same as a URL, which asyncpg wants."""
        place = parse_dsn(self.studio.database_url)
        host, port = quote(place["host"], safe=""), place["port"]
        return f"postgresql://{user}:{password}@/{database}?host={host}&port={port}"

    def set_passwords(self) -> None:
        """Make the passwords known to the server."""
        with closing(psycopg2.connect(self.studio.database_url)) as connection, connection, connection.cursor() as cur:
            cur.execute("alter role authenticator password %s", (self.gateway_password,))
            cur.execute("alter role calendar_worker password %s", (self.worker_password,))


class Nursery:
    """A forked process without threads, of which ready processes are forked on demand.

    Args:
        listener: the socket that each gateway inherits.
        log: takes what they say.
    """

    def __init__(self, listener: socket.socket, log: Path):
        ours, theirs = socket.socketpair()
        arrange = end_with_parent(signal.SIGKILL)
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            if arrange is not None:
                arrange()
            code = 1
            try:
                _raise_children(theirs, listener, log)
                code = 0
            finally:
                os._exit(code)
        theirs.close()
        self._wire = ours
        self._said = ours.makefile("rb")
        self._lock = threading.Lock()

    def start(self, **order: str) -> int:
        """Fork a gateway or a calendar worker, and return its process id."""
        with self._lock:
            self._wire.sendall(json.dumps(order).encode() + b"\n")
            return int(self._said.readline())

    def close(self) -> None:
        """End it, and with it all that it has started."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._said.close()
        self._wire.close()


def _raise_children(wire: socket.socket, listener: socket.socket, log: Path) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    gc.collect()
    gc.freeze()
    arrange = end_with_parent(signal.SIGKILL)
    with wire.makefile("rb") as orders:
        for line in orders:
            order = json.loads(line)
            child = os.fork()
            if child == 0:
                if arrange is not None:
                    arrange()
                try:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    _serve(order, listener) if order["what"] == "gateway" else _tell_the_calendar(order)
                except BaseException as error:
                    sys.stderr.write(f"{order['what']}: {error!r}\n")
                finally:
                    os._exit(1)
            wire.sendall(f"{child}\n".encode())


def _serve(order: dict[str, str], listener: socket.socket) -> None:
    serving = gateway.Gateway(order["database_url"], order["secret"], "public", "anon", POOL, WARM)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        gateway.application(serving),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=gateway.KEEP_ALIVE_SECONDS,
    )
    asyncio.set_event_loop(None)
    uvicorn.Server(config).run(sockets=[listener])


def _tell_the_calendar(order: dict[str, str]) -> None:
    client = calendar_worker.CalendarClient(order["calendar_url"])
    for _ in range(calendar_worker.THREADS - 1):
        threading.Thread(target=calendar_worker.work, args=(order["database_url"], client), daemon=True).start()
    calendar_worker.work(order["database_url"], client)


@dataclass
class Lease(embedded.Studio):
    """The studio as one overlay's cases see it: its calendar worker is our own."""

    stand: Stand | None = field(repr=False, default=None)

    def refresh(self, deadline: float = READY_SECONDS) -> None:
        """Learn the present process id of what may have been killed."""
        if self.stand is not None:
            self.worker_pid = self.stand.calendar_pid


class Stand:
    """What a worker keeps for all its overlays.

    Args:
        access: the studio.
        log: takes what gateways and calendar workers say.
        folder: evidence is kept here, by overlay.
    """

    def __init__(self, access: Access, log: Path, folder: Path):
        self.access, self.log, self.folder = access, log, folder
        self.environment = environment.load("embedded")
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.nursery = Nursery(self.listener, Path(access.studio.server_log))
        self.network_port, self.calendar_port = reserved_port(), reserved_port()
        self.network = self._start_network()
        self.database = ""
        self.calendar_pid = 0
        self.lease: Lease | None = None
        self._revived = threading.Event()
        self._administration = psycopg2.connect(access.url("postgres"))
        self._administration.autocommit = True
        self._session = requests.Session()
        self._session.trust_env = False

    def _start_network(self) -> subprocess.Popen[bytes]:
        api = "http://{}:{}".format(*self.listener.getsockname())
        calendar = urlsplit(self.access.studio.calendar_url)
        command = [sys.executable, "-m", "tools.network.proxy"]
        command += ["--api-port", str(self.network_port.getsockname()[1]), "--api-upstream", api]
        command += ["--calendar-port", str(self.calendar_port.getsockname()[1])]
        command += ["--calendar-upstream", f"http://{calendar.hostname}:{calendar.port}"]
        paths = os.pathsep.join([str(ROOT), str(ROOT / "libraries")])
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own module
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": paths},
                preexec_fn=end_with_parent(signal.SIGKILL),
            )

    def wait(self) -> None:
        """Wait until the network proxy answers.

        Raises:
            SuiteError: when it does not.
        """
        if not wait_until(lambda: self._answers(f"{self._url(self.network_port)}/acceptance/network"), READY_SECONDS):
            raise SuiteError(f"the network proxy does not start; see {self.log}.")

    @staticmethod
    def _url(port: socket.socket) -> str:
        return "http://{}:{}".format(*port.getsockname())

    def _answers(self, url: str) -> bool:
        try:
            return self._session.get(url, timeout=READY_SECONDS).ok
        except requests.RequestException:
            return False

    @contextmanager
    def bench(self, overlay: Overlay) -> Iterator[Bench]:
        """Put an overlay upon a studio of its own, and take it down again.

        Raises:
            SuiteError: names file, line and PostgreSQL's words when the overlay does not apply.
        """
        self.database = f"prove_{os.getpid()}"
        admin = self._administration.cursor()
        admin.execute(f"create database {self.database} template {TEMPLATE} strategy file_copy")
        admin.execute(f"alter database {self.database} set deadlock_timeout = '{DEADLOCK_TIMEOUT}'")
        pid, bench = 0, None
        try:
            with closing(psycopg2.connect(self.access.url(self.database))) as connection:
                connection.cursor().execute(CHANGE)
                apply_file(connection, overlay.path)
                connection.commit()
            pid = self.nursery.start(
                what="gateway",
                database_url=self.access.address(self.database, "authenticator", self.access.gateway_password),
                secret=self.access.studio.jwt_secret,
            )
            if not self._answers(f"{self._url(self.listener)}/ready"):
                raise SuiteError(f"{overlay.path}: the gateway does not start on it; see {self.log}.")
            bench = self._make_bench(overlay)
            yield bench
        finally:
            if bench is not None:
                with suppress(psycopg2.Error):
                    bench.close()
                bench.connection.close()
                bench.session.close()
                bench.target.close()
            self._session.close()
            self._stop_calendar()
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.lease = None
            admin.execute(f"drop database {self.database} with (force)")

    def _make_bench(self, overlay: Overlay) -> Bench:
        access = self.access
        known = {one.name: getattr(access.studio, one.name) for one in dataclasses.fields(access.studio)}
        lease = Lease(**{**known, "_lease": access.studio._lease.dup(), "_claim": None, "worker_pid": 0}, stand=self)
        self.lease = lease
        target = environment.Target(
            self.environment,
            self._url(self.listener),
            access.url(self.database),
            access.studio.jwt_secret,
            network_url=self._url(self.network_port),
            calendar_url=access.studio.calendar_url,
            lease=lease,
        )
        session = requests.Session()
        session.trust_env = False
        digits = run_digits(f"{overlay.id} {os.getpid()} {time.monotonic_ns()}")
        return Bench(target, open_database(target), session, self.folder / overlay.id, digits)

    def start_calendar(self) -> None:
        """Let the studio tell its calendar, from the first test on that looks at it."""
        if not self.calendar_pid:
            self._start_calendar_worker()
            self._revived = threading.Event()
            threading.Thread(target=self._revive, args=(self._revived,), daemon=True).start()

    def _revive(self, over: threading.Event) -> None:
        """Start the calendar's worker again when a case has killed it, as the studio's supervisor does."""
        while not over.wait(REVIVE_SECONDS):
            if not psutil.pid_exists(self.calendar_pid):
                self._start_calendar_worker()

    def _stop_calendar(self) -> None:
        if self.calendar_pid:
            self._revived.set()
            with suppress(ProcessLookupError):
                os.kill(self.calendar_pid, signal.SIGKILL)
            self.calendar_pid = 0

    def _start_calendar_worker(self) -> None:
        """Start a process that tells the calendar, through the network that may disturb it."""
        parts = urlsplit(self.access.studio.calendar_url)
        port = self.calendar_port.getsockname()[1]
        self.calendar_pid = self.nursery.start(
            what="calendar worker",
            database_url=self.access.address(self.database, "calendar_worker", self.access.worker_password),
            calendar_url=parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl(),
        )
        if self.lease is not None:
            self.lease.worker_pid = self.calendar_pid

    def close(self) -> None:
        """End everything."""
        self.nursery.close()
        end(self.network, signal.SIGKILL)
        self._administration.close()
        for held in (self.listener, self.network_port, self.calendar_port):
            held.close()
