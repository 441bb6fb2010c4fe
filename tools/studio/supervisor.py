"""Keeps the embedded studio running for as long as somebody uses it: PostgreSQL, the rules, the gateway.

Whoever uses the studio holds one connection to ``control.sock``, its lease, and first receives one line of JSON that
says where everything is. The kernel closes the leases of a killed user, so nobody has to say goodbye. When no lease
was open for the time of grace, everything is stopped and removed.

    python tools/studio/supervisor.py --home /tmp/my-studio [--overlay tools/mutants/x.sql]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "libraries")]

import psycopg2  # noqa: E402 - the paths above come first when this file is started by its path
from filelock import FileLock  # noqa: E402

from acceptance.errors import SuiteError  # noqa: E402
from tools.studio.postgres import DEFAULT_VERSION, Cluster, binaries, end, end_with_parent, wait_until  # noqa: E402

SQL = Path(__file__).parent / "sql"
DATABASE = "studio"
TEMPLATE = "template_studio"  # the rules without a row; self-tests make databases of their own from it
# For overlays: put one text of a function in the place of another that must stand there exactly once.
CHANGE = """
create function pg_temp.change(p_function regproc, p_old text, p_new text) returns void language plpgsql as $$
declare
  v_text  text := pg_get_functiondef(p_function);
  v_times integer := (length(v_text) - length(replace(v_text, p_old, ''))) / length(p_old);
begin
  if v_times <> 1 then
    raise exception 'in % this stands % times, not once: %', p_function, v_times, p_old;
  end if;
  execute replace(v_text, p_old, p_new);
end $$
"""
READY_SECONDS = 30
TICK_SECONDS = 0.2


class Studio:
    """The running studio below one folder.

    Args:
        home: a new folder of its own.
        overlays: SQL files applied after the studio's own.
        bin_folder: the PostgreSQL binaries.
    """

    def __init__(self, home: Path, overlays: list[Path], bin_folder: Path):
        home.mkdir(mode=0o700)
        self.cluster = Cluster(home, bin_folder)
        self.overlays = overlays
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.jwt_secret = secrets.token_urlsafe(32)
        self.gateway_password = secrets.token_urlsafe(24)
        self.gateway: subprocess.Popen[bytes] | None = None

    @property
    def api_url(self) -> str:
        """Where the gateway answers."""
        return "http://{}:{}".format(*self.listener.getsockname())

    def start(self) -> None:
        """Make the database, apply the rules, start the gateway, and wait until it answers."""
        self.cluster.create()
        self.start_postgres()
        self.apply_rules()
        self.start_gateway()

    def start_postgres(self) -> None:
        """Start PostgreSQL and wait until it lets us in."""
        self.cluster.start()

        def answers() -> bool:
            process = self.cluster.process
            if process is None or process.poll() is not None:
                raise SuiteError(f"PostgreSQL ended at once:\n{_tail(self.cluster.log)}")
            try:
                psycopg2.connect(self.cluster.url("postgres")).close()
            except psycopg2.OperationalError:
                return False
            return True

        wait_until(answers, READY_SECONDS, "PostgreSQL")

    def apply_rules(self) -> None:
        """Make the studio's database from its SQL and the overlays, in one transaction.

        Raises:
            SuiteError: names the file and line of a statement that failed.
        """
        with contextlib.closing(psycopg2.connect(self.cluster.url("postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"create database {TEMPLATE}")
        with (
            contextlib.closing(psycopg2.connect(self.cluster.url(TEMPLATE))) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(CHANGE)
            for path in [*sorted(SQL.glob("*.sql")), *self.overlays]:
                apply_file(cursor, path)
            cursor.execute("alter role authenticator password %s", (self.gateway_password,))
            connection.commit()
        with contextlib.closing(psycopg2.connect(self.cluster.url("postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"create database {DATABASE} template {TEMPLATE}")

    def start_gateway(self) -> None:
        """Start the gateway on the socket that stays ours, and wait until it answers."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "libraries")]),
            "PILATES_DATABASE_URL": self.cluster.url(DATABASE, "authenticator", self.gateway_password),
            "PILATES_JWT_SECRET": self.jwt_secret,
        }
        with self.cluster.log.open("ab") as log:
            self.gateway = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "tools.studio.gateway", "--fd", str(self.listener.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self.listener.fileno()],
                cwd=ROOT,
                env=environment,
                preexec_fn=end_with_parent(signal.SIGKILL),
            )
        wait_until(self._gateway_answers, READY_SECONDS, "the gateway")

    def _gateway_answers(self) -> bool:
        if self.gateway is None or self.gateway.poll() is not None:
            raise SuiteError(f"the gateway ended at once:\n{_tail(self.cluster.log)}")
        try:
            with urllib.request.urlopen(f"{self.api_url}/ready", timeout=READY_SECONDS) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    def revive(self) -> None:
        """Start again what has died: crash tests kill either on purpose."""
        if self.cluster.process is not None and self.cluster.process.poll() is not None:
            print(f"PostgreSQL ended ({self.cluster.process.returncode}); starting it again", flush=True)
            (self.cluster.data / "postmaster.pid").unlink(missing_ok=True)
            self.start_postgres()
        if self.gateway is not None and self.gateway.poll() is not None:
            print(f"the gateway ended ({self.gateway.returncode}); starting it again", flush=True)
            self.start_gateway()

    def described(self) -> dict[str, object]:
        """Say where everything is; only the holder of a lease is told."""
        return {
            "api_url": self.api_url,
            "database_url": self.cluster.url(DATABASE),
            "jwt_secret": self.jwt_secret,
            "server_log": str(self.cluster.log),
            "gateway_pid": self.gateway.pid if self.gateway else 0,
            "postgres_pid": self.cluster.process.pid if self.cluster.process else 0,
        }

    def stop(self) -> None:
        """Stop everything and remove its folder."""
        end(self.gateway, signal.SIGTERM)
        self.cluster.stop()
        self.listener.close()
        shutil.rmtree(self.cluster.home)


def apply_file(cursor: psycopg2.extensions.cursor, path: Path) -> None:
    """Run one SQL file.

    Raises:
        SuiteError: names the file, the line and what PostgreSQL says.
    """
    try:
        text = path.read_text(encoding="utf-8")
        cursor.execute(text)
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {error.strerror}.") from None
    except psycopg2.Error as error:
        position = int(error.diag.statement_position or 1)
        line = text.count("\n", 0, position - 1) + 1
        raise SuiteError(f"{path}:{line}: {error.diag.message_primary or error}") from None


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-15:])


def _stop_on_signal(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def serve(control: socket.socket, answer: bytes, studio: Studio, grace: float) -> None:
    """Answer each new lease with one line, and return when none was open for the time of grace."""
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    leases = 0
    last_seen = time.monotonic()
    while leases or time.monotonic() - last_seen < grace:
        for key, _ in selector.select(TICK_SECONDS):
            if key.fileobj is control:
                lease, _ = control.accept()
                lease.sendall(answer)
                selector.register(lease, selectors.EVENT_READ)
                leases += 1
            elif isinstance(key.fileobj, socket.socket) and not _alive(key.fileobj):
                selector.unregister(key.fileobj)
                key.fileobj.close()
                leases -= 1
                last_seen = time.monotonic()
        studio.revive()


def _alive(lease: socket.socket) -> bool:
    try:
        return lease.recv(64) != b""
    except ConnectionError:
        return False


def refuse(control: socket.socket, error: SuiteError) -> None:
    """Tell everyone who waits for the studio why there is none."""
    control.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # nobody waits any more
        while True:
            lease, _ = control.accept()
            lease.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
            lease.close()


def main() -> int:
    """Run the supervisor until the studio is not used any more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="a folder of our own; made and removed by us")
    parser.add_argument("--overlay", type=Path, action="append", default=[], help="SQL applied last (repeatable)")
    parser.add_argument("--server-version", type=int, default=DEFAULT_VERSION, help="18 or 16, from the wheel")
    parser.add_argument("--bin", type=Path, help="the bin folder of another PostgreSQL")
    parser.add_argument("--grace", type=float, default=10, help="seconds without a user until everything stops")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop_on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the user in the foreground, not for us
    os.umask(0o077)

    with FileLock(f"{options.home}.lock"):
        if options.home.exists():
            shutil.rmtree(options.home)  # a killed predecessor's; the lock says that it is gone
        # Root's server runs as another user, who must pass through; all below is closed to everybody else.
        options.home.mkdir(mode=0o711)
        options.home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        control = socket.socket(socket.AF_UNIX)
        control.bind(str(options.home / "control.sock"))
        control.listen(128)
        studio = None
        try:
            studio = Studio(options.home / "pg", options.overlay, options.bin or binaries(options.server_version))
            studio.start()
            serve(control, json.dumps(studio.described()).encode() + b"\n", studio, options.grace)
        except SuiteError as error:
            print(error, flush=True)
            refuse(control, error)
            return 2
        finally:
            (options.home / "control.sock").unlink(missing_ok=True)
            control.close()
            if studio is not None:
                studio.stop()
            shutil.rmtree(options.home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
