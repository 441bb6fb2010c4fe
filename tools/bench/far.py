"""How busy a system that is far away is kept: `run` by URL through relays that delay, with more and more workers."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from acceptance import embedded
from acceptance.embedded import Studio
from tools.bench import measure
from tools.selftest.clone import make_clone

NAME = "far"
CASES = 250
WORKERS = (2, 20, 50)
PORT = 5432
CHUNK = 65536


class Relay:
    """Passes bytes on to a server, each way after half of the delay, on a loop in a thread of its own.

    Args:
        to: host and port, or the path of a unix socket.
        delay: seconds for there and back.
    """

    def __init__(self, to: tuple[str, int] | str, delay: float):
        self.to, self.half = to, delay / 2
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Relay:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, sock=self.listener)
        self._ready.set()
        await self._ended.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opening = (
            asyncio.open_unix_connection(self.to) if isinstance(self.to, str) else asyncio.open_connection(*self.to)
        )
        there, back = await opening
        with suppress(asyncio.CancelledError):  # the relay ends before its connections do
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        for end in (writer, back):
            end.close()
            with suppress(OSError):
                await end.wait_closed()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Pass on one way; what arrives later leaves later, and nothing waits for what was before it."""
        with suppress(ConnectionError):
            while data := await source.read(CHUNK):
                self._loop.call_later(self.half, target.write, data)
        await asyncio.sleep(self.half)
        target.close()


def bench(milliseconds: int, console: Console) -> None:
    """Measure runs of functional cases on a studio that is so far away, and print them.

    Args:
        milliseconds: for there and back, of each request and each statement.
        console: where to print.
    """
    table = Table(box=box.MARKDOWN)
    for name in ("there and back, ms", "workers", "s", "cases/s", "of 2 workers"):
        table.add_column(name, justify="right")
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        clone = make_clone(Path(place) / "clone", suites={"none"})
        with closing(embedded.attach(clone / "tools" / "studio" / "supervisor.py")) as studio:
            for delay in dict.fromkeys((0, milliseconds)):
                with _as_environment(clone, studio, delay / 1000):
                    first = 0.0
                    for workers in WORKERS:
                        command = [sys.executable, "tools/pilates.py", "run", "--env", NAME, "--category", "functional"]
                        command += ["--count", str(CASES), "--processes", str(workers)]
                        began = time.monotonic()
                        measure.run(command, clone, studio)
                        seconds = time.monotonic() - began
                        first = first or seconds
                        cells = (delay, workers, f"{seconds:.1f}", f"{CASES / seconds:.1f}", f"{first / seconds:.1f}")
                        table.add_row(*map(str, cells))
                        console.print(f"{delay} ms, {workers} workers: {seconds:.1f} s", highlight=False)
    console.print(table)


@contextmanager
def _as_environment(clone: Path, studio: Studio, delay: float) -> Iterator[None]:
    """Let a clone's data/environments.yaml have the studio as a system that is far away."""
    path = clone / "data" / "environments.yaml"
    text = path.read_text()
    api, database = urlsplit(studio.api_url), urlsplit(studio.database_url)
    folder = parse_qs(database.query)["host"][0]
    secret = database.netloc.rpartition("@")[0]
    with (
        Relay((api.hostname or "", api.port or 0), delay) as to_api,
        Relay(f"{folder}/.s.PGSQL.{PORT}", delay) as to_database,
    ):
        entry = {
            "description": "The studio behind a delay.",
            "zone": "Europe/Athens",
            "api_url": f"http://127.0.0.1:{to_api.port}",
            "database_url": f"postgresql://{secret}@127.0.0.1:{to_database.port}{database.path}",
            "jwt_secret": studio.jwt_secret,
            "instruments": True,
        }
        told = yaml.safe_dump({NAME: entry}, sort_keys=False)
        path.write_text(text.rstrip("\n") + "\n" + "".join(f"  {line}\n" for line in told.splitlines()))
        yield
    path.write_text(text)
