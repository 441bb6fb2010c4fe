"""A proxy that runs between two small servers, and one trace that goes through it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from acceptance.datafiles import ROOT
from tools.selftest.ports import free_ports
from tools.studio.processes import wait_until

PATIENCE = 30
BODY = b'{"booking_id": "b-1", "deposit_remaining": 9}'


class Server(ThreadingHTTPServer):
    """A small API that keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []  # trace and idempotency key
        self.connections = 0
        self.hangs_up = False
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def count(self, trace: str) -> int:
        return sum(1 for one, _ in self.asked if one == trace)


class Handler(BaseHTTPRequestHandler):
    """Answers every POST alike, and keeps the connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.headers.get("X-Trace-Id", ""), self.headers.get("Idempotency-Key", "")))
        if self.server.hangs_up:
            self.close_connection = True
            return
        body = BODY if content != b'"empty"' else b""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@dataclass
class Running:
    """A proxy process and the two servers behind it."""

    process: subprocess.Popen[str]
    url: str
    calendar_url: str
    api: Server
    calendar: Server
    home: Path

    @cached_property
    def control(self) -> str:
        """Where plans are taken."""
        return str(requests.get(f"{self.url}/acceptance/network", timeout=PATIENCE).json()["control"])


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/acceptance/network", timeout=1).ok
    except requests.RequestException:
        return False


def start(home: Path) -> Running:
    api, calendar = Server(), Server()
    ports = free_ports(2)
    command = [sys.executable, "-m", "tools.network.proxy", "--api-port", str(ports[0]), "--api-upstream", api.url]
    command += ["--calendar-port", str(ports[1]), "--calendar-upstream", calendar.url]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    assert wait_until(lambda: process.poll() is not None or answers(urls[0]), PATIENCE)
    return Running(process, urls[0], urls[1], api, calendar, home)


def stop(running: Running) -> str:
    running.process.terminate()
    said, _ = running.process.communicate(timeout=PATIENCE)
    for server in (running.api, running.calendar):
        server.shutdown()
        server.server_close()
    return said


@dataclass
class Case:
    """One trace: plans, asks and reads the ledger."""

    net: Running
    session: requests.Session
    trace: str = field(default_factory=lambda: str(uuid.uuid4()))

    def plan(self, *planned: dict[str, Any]) -> requests.Response:
        return self.session.put(f"{self.net.control}/{self.trace}", json=list(planned), timeout=PATIENCE)

    def ask(self, url: str = "", timeout: float = PATIENCE, data: str = "{}", **headers: str) -> requests.Response:
        sent = {"X-Trace-Id": self.trace, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.session.post(f"{url or self.net.url}/rpc/book", data=data, headers=sent, timeout=timeout)

    def ledger(self) -> dict[str, Any]:
        answer = self.session.get(f"{self.net.control}/{self.trace}", timeout=PATIENCE)
        ledger: dict[str, Any] = answer.json()
        return ledger

    def fired(self) -> list[int]:
        return [one["fired"] for one in self.ledger()["planned"]]
